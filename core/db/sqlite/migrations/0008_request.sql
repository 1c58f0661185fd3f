-- Requests that were sent with a key, and their answers: who sends one again gets the answer, and nothing is done twice.
CREATE TABLE "_request" (
  caller TEXT NOT NULL,
  key TEXT NOT NULL,
  hash TEXT NOT NULL,
  rights TEXT NOT NULL,
  answer TEXT,
  at TEXT NOT NULL,
  PRIMARY KEY (caller, key)
) WITHOUT ROWID;
CREATE INDEX "_request_at" ON "_request" (at);
