-- How many scenarios a batch has, and how often each is played where that is not once: `repeats` holds a
-- number a case, in the order of `cases`. Older batches have neither: their scenarios were all alike.
ALTER TABLE batches ADD COLUMN scenarios INTEGER;
ALTER TABLE batches ADD COLUMN repeats BLOB;
