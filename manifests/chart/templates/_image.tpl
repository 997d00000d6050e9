{{- define "setscrew.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else if .Values.image.tag }}{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- else }}{{ .Values.image.repository }}
{{- end }}
{{- end }}
