-- Requests that were sent with a key, and their answers: who sends one again gets the answer, and nothing is done twice.
CREATE TABLE "_request" (
  caller text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  hash text NOT NULL,
  rights text NOT NULL,
  answer text,
  at timestamptz NOT NULL,
  PRIMARY KEY (caller, key)
);
CREATE INDEX "_request_at" ON "_request" (at);
