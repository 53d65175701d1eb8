import { useState, type ReactElement } from 'react';
import { useClient, useQuery } from 'urql';
import { failureOf, type Failure } from '../api/errors.js';
import { Refusal } from '../forms/form.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import { formatDate } from '../ui/format.js';
import styles from './account.module.css';
import { nameOfDevice } from './device-name.js';
import { Section } from './section.js';

const Sessions = graphql(`
  query Devices {
    me {
      id
      sessions {
        id
        deviceName
        userAgent
        ipAddress
        current
        createdAt
        lastUsedAt
      }
    }
  }
`);
const RevokeOne = graphql(`
  mutation RevokeSession($id: ID!) {
    revokeSession(id: $id)
  }
`);
const RevokeOthers = graphql(`
  mutation RevokeOtherSessions {
    revokeOtherSessions
  }
`);

interface Device {
  readonly id: string;
  readonly deviceName?: string | null;
  readonly userAgent?: string | null;
  readonly ipAddress?: string | null;
  readonly current: boolean;
  readonly lastUsedAt: string;
}

/** Where the person is signed in, this device first. */
export function Devices(): ReactElement {
  const client = useClient();
  const [{ data, error }, read] = useQuery({ query: Sessions, variables: {} });
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Failure | null>(null);
  const run = async (revoke: () => Promise<Failure | null>): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setRefused(await revoke());
    read({ requestPolicy: 'network-only' });
    setBusy(false);
  };
  const signOut = (id: string): void =>
    void run(async () => failureOf((await client.mutation(RevokeOne, { id }).toPromise()).error));
  const signOutOthers = (): void =>
    void run(async () => failureOf((await client.mutation(RevokeOthers, {}).toPromise()).error));
  const devices = [...(data?.me?.sessions ?? [])].sort(
    (one, other) =>
      Number(other.current) - Number(one.current) || other.lastUsedAt.localeCompare(one.lastUsedAt),
  );
  return (
    <Section title={m.account_devices()}>
      <Refusal failure={refused ?? ((data?.me ?? null) === null ? failureOf(error) : null)} />
      <ul className={styles.devices}>
        {devices.map((device) => (
          <Row key={device.id} device={device} busy={busy} onSignOut={() => signOut(device.id)} />
        ))}
      </ul>
      {devices.length > 1 && (
        <Button className={styles.start} busy={busy} onClick={signOutOthers}>
          {m.account_sign_out_others()}
        </Button>
      )}
    </Section>
  );
}

function Row({
  device,
  busy,
  onSignOut,
}: {
  device: Device;
  busy: boolean;
  onSignOut: () => void;
}): ReactElement {
  const name = nameOfDevice(device);
  const used = formatDate(device.lastUsedAt, { dateStyle: 'medium', timeStyle: 'short' });
  return (
    <li className={styles.device}>
      <div>
        <p className={styles.deviceName}>
          {device.current ? m.account_this_device({ name }) : name}
        </p>
        <p className={styles.details}>
          {m.account_last_used({ at: used })}
          {device.ipAddress != null && ` · ${device.ipAddress}`}
        </p>
      </div>
      {!device.current && (
        <Button busy={busy} onClick={onSignOut} aria-label={m.account_sign_out_device({ name })}>
          {m.frame_sign_out()}
        </Button>
      )}
    </li>
  );
}
