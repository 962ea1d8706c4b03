"""What ``tools/bare_root.sh`` runs inside a bare Debian 12."""
