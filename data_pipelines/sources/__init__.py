"""One file per source of music; each yields songs for data_pipelines.mashupdb."""
