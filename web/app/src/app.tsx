import { useMemo, type ReactElement } from 'react';
import { Provider } from 'urql';
import { createTalebankClient } from './api/client.js';
import { useSession } from './session/state.js';
import { Frame } from './frame/frame.js';
import { Pages } from './pages.js';
import { PlayerHost } from './player/player-host.js';
import { useLocale } from './ui/locale.js';

/** The whole app. A change of the language draws everything anew, because texts are read when they are drawn. */
export function App(): ReactElement {
  useLocale();
  const { person } = useSession();
  const id = person?.id ?? null;
  const client = useMemo(() => createTalebankClient(id), [id]);
  return (
    <Provider value={client}>
      <Frame player={<PlayerHost />}>
        <Pages />
      </Frame>
    </Provider>
  );
}
