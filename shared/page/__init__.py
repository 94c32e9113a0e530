"""What all pages share: the server, the checks of a request, the style, the charts."""
