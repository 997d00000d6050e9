"""The admission server: routes around decide(), a connection's protocol over llhttp, and gunicorn above its workers."""
