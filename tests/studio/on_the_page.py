"""What stands on a page that Streamlit's driver has drawn, and libraries to open it with."""

import polars as pl


def only_error(app):
    assert not app.exception
    (error,) = app.error
    assert "\n" not in error.value
    return error.value


def chosen(app, label):
    (box,) = (box for box in app.selectbox if box.label == label)
    return box


def button(app, label):
    (found,) = (button for button in app.button if button.label == label)
    return found


def clip_of(database, title):
    (clip_id,) = database.clips.filter(title=title)["clip_id"]
    return clip_id


def table(app):
    (frame,) = app.dataframe
    return frame.value


def numbers(app):
    return {metric.label: metric.value for metric in app.metric}


def without_bars(database):
    """Leave a downbeat to each song, so that no phrase of it can be compared."""
    database.write_table("clips", database.clips.with_columns(pl.col("downbeats").list.head(1)))
    return database
