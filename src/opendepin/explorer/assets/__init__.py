"""The page's assets: built once from pinned packages, served pre-compressed, none fetched from
elsewhere.
"""
