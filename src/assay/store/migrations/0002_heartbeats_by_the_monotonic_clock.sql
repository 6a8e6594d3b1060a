-- A heartbeat is as old as the monotonic clock says, which nobody can set; it counts from the boot
-- that `boot` names. `beat` stays for a writer on another machine.
ALTER TABLE heartbeats ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE heartbeats ADD COLUMN tick INTEGER NOT NULL DEFAULT 0;
