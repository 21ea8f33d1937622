/** When somebody has to be told of a run that goes on for long, and how: data of an operation. */

export type AlertCause = 'lag' | 'wal' | 'stalled' | 'rate' | 'error' | 'slot-lost'

/** Values in ms, bytes, and changes a second. `rate` is raised below its limit, the others above it; those without a limit where they happen. */
export type AlertCondition =
  | { readonly cause: 'lag' | 'stalled' | 'wal' | 'rate'; readonly limit: number }
  | { readonly cause: 'error' | 'slot-lost' }

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
  cause: AlertCause
  state: 'raised' | 'cleared'
  value: string
  limit?: string
}
