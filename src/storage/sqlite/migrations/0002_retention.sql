-- Retention. What expires leaves a mark: the history below first_seq has no bodies but its commits',
-- and no body goes without the mark. Never change this file: add 0003_*.sql instead.

-- Numbers and bytes of a message never change; only a body below first_seq may be blanked, and a
-- commit's never.
CREATE TRIGGER message_is_final BEFORE UPDATE ON message
WHEN (NEW.position, NEW.convo, NEW.seq, NEW.epoch, NEW.kind, NEW.msg_id, NEW.sender_tag, NEW.at)
  <> (OLD.position, OLD.convo, OLD.seq, OLD.epoch, OLD.kind, OLD.msg_id, OLD.sender_tag, OLD.at)
  OR NEW.base_epoch IS NOT OLD.base_epoch OR NEW.committer IS NOT OLD.committer
  OR (NEW.body <> OLD.body AND (NEW.body <> x'' OR OLD.kind = 2 OR OLD.seq >=
    (SELECT first_seq FROM conversation WHERE id = OLD.convo)))
BEGIN
  SELECT RAISE(ABORT, 'a message is final');
END;

CREATE TRIGGER conversation_first_seq BEFORE UPDATE OF first_seq ON conversation
WHEN NEW.first_seq < OLD.first_seq OR NEW.first_seq > NEW.next_seq
BEGIN
  SELECT RAISE(ABORT, 'first_seq only grows, up to next_seq');
END;

CREATE INDEX welcome_recipient_welcome ON welcome_recipient (welcome);
CREATE INDEX key_package_expiry ON key_package (not_after) WHERE state <> 'consumed';
