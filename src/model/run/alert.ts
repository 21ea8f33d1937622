/** Alert conditions of a run, and the actions for an alert: options of an operation. */

/** Syntax and meaning of a cause. `docs/guides/alerts.md` has the same table. */
type CauseForm = {
  /** Example, with a limit. */
  readonly form: string
  /** Short description. */
  readonly means: string
  /** Kind of its limit; a cause without one is raised whenever it occurs. */
  readonly limit?: { readonly sign: '>' | '<'; readonly unit: 'duration' | 'bytes' | 'count' }
}

/** Causes that a replication stream raises itself. */
const STREAM_FORMS = {
  lag: { form: 'lag>30s', means: 'age of the oldest waiting transaction', limit: { sign: '>', unit: 'duration' } },
  wal: { form: 'wal>10GB', means: 'log retained for the slot', limit: { sign: '>', unit: 'bytes' } },
  stalled: { form: 'stalled>60s', means: 'nothing is applied', limit: { sign: '>', unit: 'duration' } },
  rate: { form: 'rate<1000', means: 'changes a second while the stream lags', limit: { sign: '<', unit: 'count' } },
  error: { form: 'error', means: 'a failure that is retried' },
  'slot-lost': { form: 'slot-lost', means: 'the slot is gone' },
} as const satisfies Readonly<Record<string, CauseForm>>

/** Causes that are derived from the events of a run. */
const RUN_FORMS = {
  failed: { form: 'failed', means: 'the run ends failed or refused' },
  stuck: { form: 'stuck>10m', means: 'a chunk makes no progress', limit: { sign: '>', unit: 'duration' } },
  quarantine: { form: 'quarantine', means: 'rows are quarantined' },
  drift: { form: 'drift', means: 'catalog and log differ, or the catalog cannot be synced with the log' },
  fsck: { form: 'fsck', means: 'a file differs from the log' },
  verify: { form: 'verify', means: 'a file of an archive is damaged or missing' },
  'none-ahead': { form: 'none-ahead', means: 'fewer partitions are ahead than requested' },
  'default-rows': { form: 'default-rows', means: 'rows lie in the default partition' },
} as const satisfies Readonly<Record<string, CauseForm>>

export type StreamCause = keyof typeof STREAM_FORMS
export type RunCause = keyof typeof RUN_FORMS
export type AlertCause = StreamCause | RunCause
/** Causes that are monitored for every shared run with `--alert`; the conditions of `--alert` do not name them. */
export type QueueCause = 'worker-lost' | 'no-worker'

const FORMS = { ...STREAM_FORMS, ...RUN_FORMS } as const
export const CAUSE_FORMS: Readonly<Record<AlertCause, CauseForm>> = FORMS
export const ALERT_CAUSES = Object.keys(CAUSE_FORMS) as readonly AlertCause[]
export const STREAM_CAUSES = Object.keys(STREAM_FORMS) as readonly StreamCause[]

/** Causes whose form has a limit. */
type Limited = {
  [Cause in AlertCause]: (typeof FORMS)[Cause] extends { readonly limit: unknown } ? Cause : never
}[AlertCause]

/**
 * Limits in ms, bytes, or changes per second. The cause `rate` is raised below its limit, other causes above theirs. A
 * cause without a limit is raised whenever it occurs.
 */
export type AlertCondition =
  { readonly cause: Limited; readonly limit: number } | { readonly cause: Exclude<AlertCause, Limited> }

export type AlertOptions = {
  readonly conditions: readonly AlertCondition[]
  /** Run by the shell, with `SLUICE_ALERT_*` in its environment. */
  readonly command?: string
  /** Set if the run ends with the first alert. */
  readonly exit?: true
}

/**
 * State of a cause of a stream. Reported on change, and when it is first known, because an earlier run may have raised
 * the alert.
 */
export type StreamVerdict = {
  readonly cause: StreamCause
  readonly holds: boolean
  readonly value: string
  readonly limit?: string
}

/** Identifies an alert: equal in all of its reports. */
export type AlertKey = {
  /** What is monitored, and how (`alertKey`); contains no password. */
  readonly scope: string
  readonly cause: AlertCause | QueueCause
  /** The affected table; empty if it concerns the whole run. */
  readonly table: string
}

/** An alert begins (`raised`) or ends (`cleared`). @property value current value, or a description, as text */
export type AlertEvent = {
  type: 'alert'
  cause: AlertCause | QueueCause
  state: 'raised' | 'cleared'
  /** The affected table; absent if it concerns the whole run. */
  table?: string
  value: string
  limit?: string
  /** For a worker: the affected shared run. */
  run?: string
  /** For a worker: the affected machine. */
  host?: string
}
