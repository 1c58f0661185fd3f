-- What runs of flows go on with, where recordings show less of it because of a data class.
ALTER TABLE "_flow_run" ADD COLUMN kept_input TEXT;
ALTER TABLE "_flow_step" ADD COLUMN kept_input TEXT;
ALTER TABLE "_flow_step" ADD COLUMN kept_output TEXT;
