"""The schemas of our databases, as forward-only steps ``NNNN_verb_noun.sql``."""
