import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Config } from '../../config.js';
import { greetSmtp, mailRefusalOf } from '../../infra/mail.js';
import { createMetrics } from '../../infra/metrics.js';
import { openSpeech } from '../../infra/speech/open.js';
import { askOpenAi } from '../../infra/speech/http/openai.js';
import { SpeechError, type SpeechProvider } from '../../infra/speech/provider.js';
import { readCatalog } from '../../infra/speech/sherpa/catalog.js';
import { openStorage, requireStorage } from '../../infra/storage/open.js';
import { storeWhole } from '../../infra/storage/storage.js';
import type { Logger } from '../../infra/log.js';
import { fail, messageOf, ok, warn, type Check, type Finding } from './findings.js';
import { isThere } from './machine.js';

/** Writes, reads and deletes a file of a few bytes under a random name. */
export const storageCheck = (config: Config): Check => ({
  name: 'storage',
  run: async () => {
    const { storage: kind, dataDir } = config;
    const where = kind.kind === 'local' ? `${dataDir}/audio` : `the bucket ${kind.name}`;
    // Opening the local storage would make its folder.
    if (kind.kind === 'local' && !(await isThere(where)))
      return warn(`there is no folder ${where} yet`, 'Start Talebank once: it makes the folder.');
    const storage = await openStorage(config);
    const key = `${randomBytes(32).toString('hex')}.part`;
    const bytes = randomBytes(16);
    try {
      await requireStorage(storage, config);
      await storeWhole(storage, key, bytes);
      const kept = await buffer(await storage.read(key, { start: 0, end: bytes.length - 1 }));
      await storage.remove([key]);
      if (!kept.equals(bytes))
        return fail(
          `${where} gives back other bytes than were written`,
          'Look at what stands between Talebank and the storage.',
        );
      return ok(`a probe was written to ${where}, read and deleted`);
    } catch (error) {
      await storage.remove([key]).catch(() => undefined);
      return fail(messageOf(error), 'Correct the variables of the storage, or its rights.');
    } finally {
      await storage.close();
    }
  },
});

/** Asks the speech provider for something that costs nothing. */
export const speechCheck = ({ speech }: Config, log: Logger): Check => ({
  name: 'speech',
  run: async () => {
    let provider: SpeechProvider;
    try {
      provider = openSpeech(speech, { log, metrics: createMetrics() });
    } catch (error) {
      return fail(messageOf(error), 'Install what is missing, or choose another SPEECH_PROVIDER.');
    }
    try {
      if (speech.provider === 'openai') return ofModels(await askOpenAi(speech));
      if (speech.provider === 'sherpa') return await speakWithModels(provider, speech.folder);
      return await (speech.provider === 'espeak' ? speakOnce(provider) : listOnce(provider));
    } catch (error) {
      return ofSpeechError(provider.name, error);
    } finally {
      await provider.close();
    }
  },
});

async function speakOnce(provider: SpeechProvider): Promise<Finding> {
  const [voice] = await provider.listVoices();
  const request = { text: 'Yes.', voice: voice?.id ?? '', language: 'en' };
  const { pcm } = await provider.speak(request, new AbortController().signal);
  return ok(`espeak has spoken a word (${String(pcm.length)} samples)`);
}

/** Speaks with the first voice of the first model, and reads all others. */
async function speakWithModels(provider: SpeechProvider, folder: string): Promise<Finding> {
  const { models, refused } = await readCatalog(folder);
  const [voice] = await provider.listVoices();
  if (voice === undefined)
    return fail(
      `there is no usable model in ${folder}`,
      'Add one: npm run voices -- add. docs/voices.md lists some.',
    );
  const request = { text: 'A, E, I.', voice: voice.id, language: voice.languages[0] ?? 'en' };
  try {
    await provider.speak(request, new AbortController().signal);
  } catch (error) {
    return fail(
      `the voice ${voice.id} does not speak: ${messageOf(error)}`,
      'Try it with npm run voices -- try, which shows what the engine says.',
    );
  }
  const [first] = refused;
  if (first !== undefined)
    return warn(
      `the model ${first.folder} is not offered, because ${first.why}`,
      'Correct it, or remove it: npm run voices -- remove.',
    );
  return ok(`sherpa has spoken a word; models: ${String(models.length)}`);
}

async function listOnce(provider: SpeechProvider): Promise<Finding> {
  const voices = await provider.listVoices();
  return ok(`${provider.name} answers, and lists ${String(voices.length)} voices`);
}

/** Servers at home often have no list of models. */
const ofModels = (status: number): Finding =>
  ok(
    status === 200 ? 'openai answers' : `openai answers (${String(status)} for its list of models)`,
  );

function ofSpeechError(name: string, error: unknown): Finding {
  if (!(error instanceof SpeechError)) return fail(messageOf(error), 'Fix what the message names.');
  const { status } = error;
  if (status === 401 || status === 403)
    return fail(
      `${name} refuses the key with ${String(status)}`,
      'Correct the API key. Narrations wait and are retried meanwhile.',
    );
  if (status === 402 || status === 429)
    return fail(
      `${name} answers with ${String(status)}`,
      'The account has no credit, or asks too often: look at it on the site of the provider.',
    );
  return fail(
    `${name}: ${error.message}`,
    'Narrations wait and are retried until it answers. Check whether it is up, and its address.',
  );
}

/** Connects to the mail server, greets it and signs in. It sends no mail. */
export const mailCheck = ({ mail, production, dataDir }: Config, limitMs: number): Check => ({
  name: 'mail',
  run: async () => {
    const { smtpUrl } = mail;
    if (smtpUrl === null)
      return production
        ? warn('SMTP_URL is not set, so mail waits in the queue', 'Set SMTP_URL.')
        : ok(`mail is kept in ${dataDir}/mail, because SMTP_URL is not set`);
    const { hostname, port, protocol } = new URL(smtpUrl);
    const where = `${hostname}:${port === '' ? (protocol === 'smtps:' ? '465' : '587') : port}`;
    try {
      await greetSmtp(smtpUrl, limitMs);
      return ok(`the mail server at ${where} answers and accepts the sign-in`);
    } catch (error) {
      const { code, status } = mailRefusalOf(error);
      const answer = status === undefined ? code : `${code}, ${status}`;
      return code === 'EAUTH'
        ? fail(
            `the mail server at ${where} refuses user and password (${answer})`,
            'Correct SMTP_URL. Mail is retried for a day.',
          )
        : fail(
            `the mail server at ${where} does not greet (${answer})`,
            'Correct SMTP_URL, or check whether the server is up and a firewall is between. Mail is retried for a day.',
          );
    }
  },
});
