/** When somebody has to be told of a run, and how: data of an operation. */

/** How a cause is written, and what it means: `docs/ALERTS.md` has the same table. */
type CauseForm = {
  /** With a limit as an example. */
  readonly form: string
  /** In a few words. */
  readonly means: string
  /** How its limit is read; a cause without one is told where it happens. */
  readonly limit?: { readonly sign: '>' | '<'; readonly unit: 'duration' | 'bytes' | 'count' }
}

/** Causes that a stream which is followed tells of itself, as it goes. */
const STREAM_FORMS = {
  lag: { form: 'lag>30s', means: 'age of the oldest transaction that waits', limit: { sign: '>', unit: 'duration' } },
  wal: { form: 'wal>10GB', means: 'held back by the slot', limit: { sign: '>', unit: 'bytes' } },
  stalled: { form: 'stalled>60s', means: 'nothing is applied', limit: { sign: '>', unit: 'duration' } },
  rate: { form: 'rate<1000', means: 'changes a second while behind', limit: { sign: '<', unit: 'count' } },
  error: { form: 'error', means: 'a failure that is tried again' },
  'slot-lost': { form: 'slot-lost', means: 'the slot is gone' },
} as const satisfies Readonly<Record<string, CauseForm>>

/** Causes that are found in the events of a run. */
const RUN_FORMS = {
  failed: { form: 'failed', means: 'the run ends failed or refused' },
  stuck: { form: 'stuck>10m', means: 'a chunk gets no further', limit: { sign: '>', unit: 'duration' } },
  quarantine: { form: 'quarantine', means: 'rows are set aside' },
  drift: { form: 'drift', means: 'catalog and log differ, or the catalog cannot follow' },
  fsck: { form: 'fsck', means: 'a file is not what the log says' },
  verify: { form: 'verify', means: 'a file of an archive is damaged or missing' },
  'none-ahead': { form: 'none-ahead', means: 'fewer partitions are ahead than asked for' },
  'default-rows': { form: 'default-rows', means: 'rows lie in the default partition' },
} as const satisfies Readonly<Record<string, CauseForm>>

export type StreamCause = keyof typeof STREAM_FORMS
export type RunCause = keyof typeof RUN_FORMS
export type AlertCause = StreamCause | RunCause
/** Told of every run with `--alert` that workers share: its conditions do not name them. */
export type QueueCause = 'worker-lost' | 'no-worker'

export const CAUSE_FORMS: Readonly<Record<AlertCause, CauseForm>> = { ...STREAM_FORMS, ...RUN_FORMS }
export const ALERT_CAUSES = Object.keys(CAUSE_FORMS) as readonly AlertCause[]
export const STREAM_CAUSES = Object.keys(STREAM_FORMS) as readonly StreamCause[]

type Limited = 'lag' | 'stalled' | 'wal' | 'rate' | 'stuck'

/** Values in ms, bytes, and changes a second. `rate` is raised below its limit, the others above it; those without a limit where they happen. */
export type AlertCondition =
  { readonly cause: Limited; readonly limit: number } | { readonly cause: Exclude<AlertCause, Limited> }

export type AlertWish = {
  readonly conditions: readonly AlertCondition[]
  /** Run by the shell, with `SLUICE_ALERT_*` in its environment. */
  readonly command?: string
  /** The run ends with the first alert. */
  readonly exit?: true
}

/** An alert begins (`raised`) or is over (`cleared`). @property value and limit in words; of causes without a limit what happened */
export type AlertEvent = {
  type: 'alert'
  cause: AlertCause | QueueCause
  state: 'raised' | 'cleared'
  /** That it is about; absent where it is about the whole run. */
  table?: string
  value: string
  limit?: string
  /** Of a worker: the shared run that it is about. */
  run?: string
  /** Of a worker: the machine that it is about. */
  host?: string
}
