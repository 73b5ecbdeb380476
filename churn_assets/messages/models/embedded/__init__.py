"""What only the embedded base needs: the base that is trained here from nothing."""
