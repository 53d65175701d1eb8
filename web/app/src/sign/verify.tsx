import { useEffect, useState, type ReactElement } from 'react';
import { useClient, type Client } from 'urql';
import { Link, useSearch } from 'wouter';
import { failureOf, textOf, type Failure } from '../api/errors.js';
import { useSession } from '../session/state.js';
import { Done, Refusal } from '../forms/form.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { Button, buttonClass } from '../ui/button.js';
import { Card } from './card.js';
import styles from './card.module.css';

const Verify = graphql(`
  mutation VerifyEmail($token: String!) {
    verifyEmail(token: $token)
  }
`);
const Resend = graphql(`
  mutation ResendVerification {
    resendVerification
  }
`);

/** A token can be used once, so it is sent once, however often the page is drawn. */
const sent = new Map<string, Promise<Failure | null>>();

function verify(client: Client, token: string): Promise<Failure | null> {
  const earlier = sent.get(token);
  if (earlier !== undefined) return earlier;
  const answer = client
    .mutation(Verify, { token })
    .toPromise()
    .then(({ error }) => failureOf(error));
  sent.set(token, answer);
  return answer;
}

type State = 'sending' | 'done' | Failure;

/** The page of the mailed link that confirms an address. */
export function VerifyEmail(): ReactElement {
  const token = new URLSearchParams(useSearch()).get('token') ?? '';
  const client = useClient();
  const [state, setState] = useState<State>('sending');
  useEffect(() => {
    let isShown = true;
    const answer: Promise<Failure | null> =
      token === ''
        ? Promise.resolve({ code: 'TOKEN_INVALID', details: {} })
        : verify(client, token);
    void answer.then((failure) => {
      if (isShown) setState(failure ?? 'done');
    });
    return () => {
      isShown = false;
    };
  }, [client, token]);
  if (state === 'sending')
    return (
      <Card title={m.sign_verify_title()}>
        <p role="status">{m.sign_verify_sending()}</p>
      </Card>
    );
  if (state === 'done')
    return (
      <Card title={m.sign_verify_title()}>
        <Done>{m.sign_verify_done()}</Done>
        <Link href={paths.library} className={buttonClass('primary')}>
          {m.frame_to_library()}
        </Link>
      </Card>
    );
  return <Failed failure={state} />;
}

function Failed({ failure }: { failure: Failure }): ReactElement {
  const { person } = useSession();
  const isSpent = failure.code === 'TOKEN_INVALID';
  return (
    <Card title={isSpent ? m.sign_spent_title() : m.sign_verify_title()}>
      <p role="alert">{isSpent ? m.sign_verify_spent() : textOf(failure)}</p>
      {isSpent && person !== null && <SendAgain />}
      {isSpent && person === null && (
        <Link href={paths.signIn(paths.account)} className={buttonClass('primary')}>
          {m.sign_in_submit()}
        </Link>
      )}
      {!isSpent && (
        <Button kind="primary" onClick={() => location.reload()}>
          {m.frame_retry()}
        </Button>
      )}
    </Card>
  );
}

/** Sends the mail that confirms the address of the person who is signed in. */
export function SendAgain(): ReactElement {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Failure | 'sent' | null>(null);
  const send = async (): Promise<void> => {
    setBusy(true);
    const { error } = await client.mutation(Resend, {}).toPromise();
    setOutcome(failureOf(error) ?? 'sent');
    setBusy(false);
  };
  if (outcome === 'sent') return <Done>{m.sign_resend_done()}</Done>;
  return (
    <div className={styles.again}>
      <Refusal failure={outcome} />
      <Button kind="primary" busy={busy} onClick={() => void send()}>
        {m.sign_resend_submit()}
      </Button>
    </div>
  );
}
