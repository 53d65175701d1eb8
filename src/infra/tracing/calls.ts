import type { SpeechProvider } from '../speech/provider.js';
import type { FileWriter, Storage } from '../storage/storage.js';
import { isTracing, traced } from './tracing.js';

/** Makes spans of the calls of the speech provider. Without tracing, it is the provider itself. */
export function traceSpeech(provider: SpeechProvider): SpeechProvider {
  if (!isTracing()) return provider;
  const attributes = { 'talebank.provider': provider.name };
  const call = <Result>(name: string, work: () => Promise<Result>): Promise<Result> =>
    traced(`speech ${name}`, { kind: 'client', attributes }, work);
  return {
    ...provider,
    speak: (request, signal) => call('speak', () => provider.speak(request, signal)),
    listVoices: () => call('listVoices', () => provider.listVoices()),
  };
}

/** Makes spans of the calls of the storage. Without tracing, it is the storage itself. */
export function traceStorage(storage: Storage, kind: 'local' | 's3'): Storage {
  if (!isTracing()) return storage;
  const attributes = { 'talebank.storage': kind };
  const call = <Result>(name: string, work: () => Promise<Result>): Promise<Result> =>
    traced(`storage ${name}`, { kind: 'client', attributes }, work);
  const traceWriter = (writer: FileWriter): FileWriter => ({
    // One for each piece would be too many.
    write: (bytes) => writer.write(bytes),
    finish: () => call('finish', () => writer.finish()),
    abandon: () => call('abandon', () => writer.abandon()),
  });
  return {
    ...storage,
    check: () => call('check', () => storage.check()),
    openWriter: (key) => call('openWriter', async () => traceWriter(await storage.openWriter(key))),
    stat: (key) => call('stat', () => storage.stat(key)),
    remove: (keys) => call('remove', () => storage.remove(keys)),
    read: (key, range) => call('read', () => storage.read(key, range)),
    sweepUnfinished: (olderThan) =>
      call('sweepUnfinished', () => storage.sweepUnfinished(olderThan)),
  };
}
