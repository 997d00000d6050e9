"""Pages for eyes: the report rendered by the server, readable without script. `webhook.api.page` routes them."""
