/**
 * The error class of sluice. A code determines the kind of failure and the exit code of the program;
 * `where`, `reason` and `hint` say where it happened, why, and what to do next.
 */

/** What a failure means to the caller; `EXIT_OF_KIND` maps it to the exit code. */
export type ErrorKind = 'usage' | 'source' | 'target' | 'state' | 'unsupported' | 'verify' | 'stopped' | 'internal'

export const EXIT_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  verify: 1,
  usage: 2,
  source: 3,
  target: 4,
  state: 5,
  unsupported: 6,
  internal: 70,
  stopped: 75,
}

/** Closed list of codes. A new one must also be added to docs/reference/EXIT-CODES.md; a test compares the two. */
export const ERROR_CODES = {
  // usage and configuration
  BAD_FLAG: 'usage',
  BAD_CONFIG: 'usage',
  /** Another program already listens on this port. */
  PORT_TAKEN: 'usage',
  BAD_PREDICATE: 'usage',
  BAD_QUERY: 'usage',
  MISSING_CONFIRM: 'usage',
  NO_SUCH_PATH: 'usage',
  NO_SUCH_TABLE: 'usage',
  AMBIGUOUS_TABLE: 'usage',
  VERSION_NOT_FOUND: 'usage',
  // source: the lake and its logs
  NO_LOG: 'source',
  LOG_GAP: 'source',
  LOG_CHANGED: 'source',
  BAD_ACTION: 'source',
  BAD_CHECKPOINT: 'source',
  BAD_DELETION_VECTOR: 'source',
  MISSING_PROTOCOL: 'source',
  MISSING_METADATA: 'source',
  BAD_SCHEMA: 'source',
  SOURCE_GONE: 'source',
  SOURCE_DENIED: 'source',
  SOURCE_IO: 'source',
  /** Other sessions of the source block the operation for now. */
  SOURCE_BUSY: 'source',
  PATH_ESCAPES: 'source',
  /** A message of a change stream violates the protocol of the stream. */
  BAD_STREAM: 'source',
  // target: the catalog
  CONNECT_FAILED: 'target',
  TLS_FAILED: 'target',
  CONNECTION_LOST: 'target',
  COMMIT_UNKNOWN: 'target',
  TARGET_DENIED: 'target',
  NO_SPACE: 'target',
  TARGET_BUSY: 'target',
  TARGET_CORRUPT: 'target',
  TARGET_IO: 'target',
  VALUE_REFUSED: 'target',
  /** A row that the target cannot hold: a constraint, a type, a size. */
  ROW_REFUSED: 'target',
  /** A table that the target does not accept: a missing column, a missing right, a wrong type. */
  TABLE_REFUSED: 'target',
  /** The target holds rows where new ones would be written. */
  TARGET_NOT_EMPTY: 'target',
  RATE_LIMITED: 'target',
  // state
  TABLE_LOCKED: 'state',
  LEASE_LOST: 'state',
  CATALOG_NEWER: 'state',
  NOT_A_CATALOG: 'state',
  NOT_IMPORTED: 'state',
  IMPORT_UNFINISHED: 'state',
  HISTORY_MISSING: 'state',
  LOG_REWRITTEN: 'state',
  TABLE_ID_TAKEN: 'state',
  PLAN_CHANGED: 'state',
  /** The operation of a schedule is not the one that was confirmed. */
  SCHEDULE_VOID: 'state',
  LEDGER_NEWER: 'state',
  LEDGER_BUSY: 'state',
  LEDGER_DAMAGED: 'state',
  /** The operation does not fit the state of the partition in the ledger. */
  PARTITION_STATE: 'state',
  /** A partition changed after it was exported, or its archive is not what was proved. */
  PARTITION_CHANGED: 'state',
  /** A user has put a hold on the partition. */
  PARTITION_HELD: 'state',
  /** Two programs publish into one archive, or the archive differs from the one in the ledger. */
  ARCHIVE_CONFLICT: 'state',
  /**
   * The archive belongs to another database, or its log continues with an ownership token that is not in the ledger.
   */
  ARCHIVE_FOREIGN: 'state',
  /** The replication slot of a stream is missing, invalidated or replaced: changes since its position are lost. */
  SLOT_LOST: 'state',
  /** Another running program reads the replication slot. */
  SLOT_ACTIVE: 'state',
  /** Changes of some tables may be missing: the stream keeps its position and does not continue. */
  STREAM_HALTED: 'state',
  /** The source has recorded another target than this one for the stream. */
  STREAM_MOVED: 'state',
  /** The table belongs to a stream: only its own run may write into it. */
  TABLE_FOLLOWED: 'state',
  // unsupported
  TABLE_FEATURE: 'unsupported',
  PROTOCOL_VERSION: 'unsupported',
  UNSUPPORTED_URL: 'unsupported',
  UNSUPPORTED_KEY: 'unsupported',
  /** The rows of the table are not on a ring of tokens. */
  NO_RING: 'unsupported',
  UNSUPPORTED_TYPE: 'unsupported',
  LOSSY_TYPE: 'unsupported',
  /** Changes of a table, or of a whole server, cannot be replicated. */
  NOT_FOLLOWABLE: 'unsupported',
  /** Two tables cannot exchange their names in their current form. */
  NOT_SWITCHABLE: 'unsupported',
  // the run reached its end, but a part failed or differs
  TABLES_FAILED: 'verify',
  /** The notification of users after a cutover has failed; the cutover stays in effect. */
  HOOK_FAILED: 'verify',
  /** A table cannot be partitioned, or its old table cannot be decommissioned. */
  PARTITION_REFUSED: 'verify',
  /**
   * `PARTITIONS_MISSING`: partitions of the current or of future periods do not exist and were not created.
   * `PARTITIONS_BLOCKED`: no due partition can be archived, or can expire.
   */
  PARTITIONS_MISSING: 'verify',
  PARTITION_OVERLAP: 'verify',
  PARTITION_GAP: 'verify',
  ROWS_IN_DEFAULT: 'verify',
  PARTITION_LEFT_OVER: 'verify',
  PARTITION_NOT_ALIKE: 'verify',
  PARTITIONS_BLOCKED: 'verify',
  DIFFERENCES: 'verify',
  /** A sign-off is refused because a check of the target failed. */
  NOT_SIGNED: 'verify',
  /** An alert that ends the run was raised. */
  ALERTED: 'verify',
  WORKERS_REFUSED: 'verify',
  NOT_SAFE: 'verify',
  SETUP_PROBLEMS: 'verify',
  ROWS_ASIDE: 'verify',
  ROWS_EXTRA: 'verify',
  CHUNKS_FAILED: 'verify',
  COUNTS_DIFFER: 'verify',
  PROOF_FAILED: 'verify',
  /** Rows are in the target, but not every requested index or constraint. */
  OBJECTS_FAILED: 'verify',
  // stopped
  STOPPED: 'stopped',
  ABORTED: 'stopped',
  DEADLINE: 'stopped',
  /** Other sessions blocked every try; nothing has changed. */
  OUT_OF_TRIES: 'stopped',
  RUN_BROKE_OFF: 'stopped',
  // bugs
  INTERNAL: 'internal',
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_CODES

export type ErrorDetails = {
  /** Where it happened: path, URL without password, file and line, or table. */
  readonly where?: string | undefined
  /** One sentence: why this happens, in the words of the guide if it has one. */
  readonly reason?: string | undefined
  /** One sentence: what to do next. */
  readonly hint?: string | undefined
  /** True if the same call may succeed later without any change by a user. */
  readonly retryable?: boolean | undefined
  /** Overrides the kind of the code, for codes that occur at the source and at the target. */
  readonly kind?: ErrorKind | undefined
  /** Overrides the exit code of the kind: a run ended by a signal has the exit code of the signal. */
  readonly exitCode?: number | undefined
  readonly cause?: unknown
}

/** JSON form of an error in events and ledgers. */
export type ErrorInfo = {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly reason?: string
  readonly where?: string
  readonly retryable: boolean
  /** For a bug only: stack frames, without the message of the error. */
  readonly stack?: string
}

export class SluiceError extends Error {
  override readonly name = 'SluiceError'
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly where: string | undefined
  readonly reason: string | undefined
  readonly hint: string | undefined
  readonly retryable: boolean
  readonly exitCode: number

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.kind = details.kind ?? ERROR_CODES[code]
    this.exitCode = details.exitCode ?? EXIT_OF_KIND[this.kind]
    this.where = details.where
    this.reason = details.reason
    this.hint = details.hint
    this.retryable = details.retryable ?? false
  }

  /** Plain data for events; never contains the cause, and a stack only for unexpected errors. */
  info(): ErrorInfo {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.where === undefined ? {} : { where: this.where }),
      ...(this.code === 'INTERNAL' ? stackOf(this.cause) : {}),
    }
  }
}

/** The first lines of a stack repeat the message, which may hold secrets that are removed only from `message`. */
function stackOf(cause: unknown): { readonly stack?: string } {
  if (!(cause instanceof Error) || cause.stack === undefined) return {}
  const frames = cause.stack.split('\n').filter((line) => /^\s+at /.test(line))
  return frames.length === 0 ? {} : { stack: frames.join('\n') }
}

/** `CODE message: reason`, in one line. */
export function errorLine({ code, message, reason }: Pick<ErrorInfo, 'code' | 'message' | 'reason'>): string {
  return `${code} ${message}${reason === undefined ? '' : `: ${reason}`}`
}

/** Rebuilds an error from an `ErrorInfo` that crossed a thread. */
export function errorFromInfo(info: ErrorInfo, kind?: ErrorKind): SluiceError {
  return new SluiceError(info.code, info.message, {
    retryable: info.retryable,
    hint: info.hint,
    reason: info.reason,
    where: info.where,
    kind,
    ...(info.stack === undefined ? {} : { cause: Object.assign(new Error(info.message), { stack: info.stack }) }),
  })
}

/** For `catch`: null if an error has one of these codes. @throws any other error */
export function nullOn(...codes: readonly ErrorCode[]): (thrown: unknown) => null {
  return (thrown) => {
    if (thrown instanceof SluiceError && codes.includes(thrown.code)) return null
    throw thrown
  }
}

/** A thrown value as a `SluiceError`; a value of another class is a bug of sluice and becomes INTERNAL. */
export function asSluiceError(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return new SluiceError('INTERNAL', error.message, {
    cause: error,
    hint: 'this is a bug in sluice: please report it with the command and this message',
  })
}
