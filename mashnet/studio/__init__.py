"""The studio: find two songs that fit, hear them together, take the mashup home.

`python -m mashnet.studio library=DB` starts it. The page is `app.py` and the files named
`*_panel.py`; everything else here knows nothing of Streamlit.
"""
