"""The ground floor: text and bytes. Knows no layer's meaning."""
