-- Retention. What expires leaves a mark: the history below first_seq has no bodies but its commits',
-- and no body goes without the mark. Never change this file: add 0003_*.sql instead.

CREATE OR REPLACE FUNCTION message_is_final() RETURNS trigger LANGUAGE plpgsql SET search_path = catbird, pg_catalog AS $$
BEGIN
  IF (NEW.position, NEW.convo, NEW.seq, NEW.epoch, NEW.base_epoch, NEW.kind, NEW.msg_id, NEW.at,
      NEW.sender_tag, NEW.committer) IS DISTINCT FROM
     (OLD.position, OLD.convo, OLD.seq, OLD.epoch, OLD.base_epoch, OLD.kind, OLD.msg_id, OLD.at,
      OLD.sender_tag, OLD.committer) OR (NEW.body <> OLD.body AND (length(NEW.body) > 0
      OR OLD.kind = 2 OR OLD.seq >= (SELECT first_seq FROM conversation WHERE id = OLD.convo))) THEN
    RAISE EXCEPTION 'a message is final' USING ERRCODE = 'check_violation', CONSTRAINT = 'message_is_final';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION first_seq_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = catbird, pg_catalog AS $$
BEGIN
  IF NEW.first_seq < OLD.first_seq OR NEW.first_seq > NEW.next_seq THEN
    RAISE EXCEPTION 'first_seq only grows, up to next_seq' USING ERRCODE = 'check_violation', CONSTRAINT = 'conversation_first_seq';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER conversation_first_seq BEFORE UPDATE OF first_seq ON conversation FOR EACH ROW EXECUTE FUNCTION first_seq_grows();

CREATE INDEX welcome_recipient_welcome ON welcome_recipient (welcome);
CREATE INDEX key_package_expiry ON key_package (not_after) WHERE state <> 'consumed';
