"""`python -m archibald_sync.cli`, for children that need no script on their path."""

from archibald_sync.cli.root import main

main()
