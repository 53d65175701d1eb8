import { define } from '../define.js';

/** Narrations, from the request to the recording or the refund. */
export const narrationEvents = define({
  'narration-requested': {
    level: 'info',
    fields: ['userId', 'audioId', 'seq'],
    when: 'A narration was requested. `seq` is null when an existing one was returned without a charge.',
    action: null,
  },
  'narration-ready': {
    level: 'info',
    fields: ['userId', 'audioId', 'attempt', 'durationMs'],
    when: 'A recording is finished.',
    action: null,
  },
  'narration-try-failed': {
    level: 'warn',
    fields: ['userId', 'audioId', 'attempt', 'retryCount', 'err'],
    when: 'A worker could not finish a recording. It is tried again, unless the error is permanent.',
    action:
      'See the error if it is repeated; the provider or the storage is probably not available.',
  },
  'narration-waits': {
    level: 'info',
    fields: ['userId', 'audioId', 'attempt', 'waitMs', 'err'],
    when: 'The speech provider rests, or asks for a pause. The narration is QUEUED, and no try is counted.',
    action: null,
  },
  'narration-ends-workers': {
    level: 'error',
    fields: ['userId', 'audioId', 'attempt', 'deaths'],
    when: 'SYNTHESIS_DEATHS workers have died while they made a narration. The narration fails, and its points are refunded.',
    action:
      'Find out why the workers died, for example because memory ran out. If this text is the cause, report it.',
  },
  'narration-failed': {
    level: 'warn',
    fields: ['userId', 'audioId', 'debitSeq', 'refundSeq', 'status', 'reason'],
    when: 'A narration has failed for good. Its points were given back in the same commit.',
    action: 'See the lines `narration-try-failed` with the same `audioId`.',
  },
  'narration-cancelled': {
    level: 'info',
    fields: ['userId', 'audioId', 'debitSeq', 'refundSeq', 'status'],
    when: 'A user has cancelled a narration, or an account was erased. The points were given back in the same commit.',
    action: null,
  },
  'narration-deleted': {
    level: 'info',
    fields: ['userId', 'audioId'],
    when: 'A user has deleted a narration. Nothing was refunded.',
    action: null,
  },
  'narration-settled-before': {
    level: 'info',
    fields: ['userId', 'audioId'],
    when: 'A narration was to be ended, and had ended already.',
    action: null,
  },
  'narration-elsewhere': {
    level: 'info',
    fields: ['userId', 'audioId', 'attempt'],
    when: 'A job was delivered whose narration has ended, or is made by another worker.',
    action: null,
  },
  'narration-stopped': {
    level: 'warn',
    fields: ['userId', 'audioId', 'attempt'],
    when: 'A worker stops because the narration was ended or claimed by another worker.',
    action: null,
  },
  'refund-failed': {
    level: 'error',
    fields: ['userId', 'audioId', 'err'],
    when: 'A narration failed or was cancelled, and its points could not be given back. It is tried again.',
    action: 'Follow docs/runbooks/refund-failing.md.',
  },
  'narration-not-settled': {
    level: 'error',
    fields: ['userId', 'audioId', 'attempt', 'err'],
    when: 'The reaper could not refund a narration whose job is gone. It tries again every minute.',
    action: 'See the error. The points are not given back until its cause is removed.',
  },
  'recording-lost': {
    level: 'warn',
    fields: ['userId', 'audioId'],
    when: 'The file of a recording is missing. The recording is made again without a charge.',
    action: 'Search for what has removed the file, unless the storage was restored from a backup.',
  },
  'recording-not-found-out': {
    level: 'warn',
    fields: ['err'],
    when: 'The storage did not answer whether a recording is there. It is treated as present.',
    action: 'See the error.',
  },
  'sentence-without-lease': {
    level: 'warn',
    fields: ['sentence', 'err'],
    when: 'The lease of a sentence could not be renewed while it was spoken. Another worker may buy it too.',
    action: 'See the error if it is repeated.',
  },
  'sentences-left-behind': {
    level: 'warn',
    fields: ['files', 'err'],
    when: 'Files of sentences could not be removed after they were put into a recording. A task removes them later.',
    action: null,
  },
  'sample-not-made': {
    level: 'warn',
    fields: ['voiceId', 'err'],
    when: 'The provider could not speak the sample of a voice. The same process does not ask for it again for a minute.',
    action: 'See the error. Narrations in this voice probably fail, too.',
  },
  'voices-not-listed': {
    level: 'warn',
    fields: ['err'],
    when: 'The provider did not list its voices at the start. Those known from before are offered.',
    action: 'See the error if it is repeated.',
  },
  'speech-process-ended': {
    level: 'warn',
    fields: ['code', 'signal'],
    when: 'A process of eSpeak NG or sherpa-onnx has ended by itself. Another one is started.',
    action:
      'With sherpa, see SHERPA_MEMORY_MB if it is repeated with the signal SIGKILL, and try the model with npm run voices if it is not.',
  },
  'voice-model-refused': {
    level: 'warn',
    fields: ['model', 'reason'],
    when: 'A folder of DATA_DIR/voices has no usable model. The other models are offered.',
    action: 'Correct what the reason names, or remove the model with npm run voices.',
  },
});
