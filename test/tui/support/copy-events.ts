/** Hand-written events of copies, so that a chunk reaches every state. */
import type { CopyOperation } from '../../../src/engine/copy/operations/copy/declaration.ts'
import type { CopyPlanLine, EventBody } from '../../../src/model/run/event.ts'
import type { ErrorInfo } from '../../../src/shared/errors.ts'

export const TABLE = 'public.coordinate_speed_new'
export const ROWS = 2_210_059
const CHUNK = 50_000
export const CHUNKS = Math.ceil(ROWS / CHUNK)

export const COPY: CopyOperation = {
  kind: 'copy',
  from: 'postgresql://app:secret@db/tracks',
  to: 'd1://acct/tracks-edge',
  tables: ['coordinate_speed_new'],
  rename: {},
  onExisting: 'refuse',
  acceptLossy: [],
  verify: 'chunk',
  workers: 4,
  maxAside: 1000,
  restart: false,
  dryRun: false,
}
export const COMMAND =
  'sluice copy --from postgresql://app@db/tracks --to d1://acct/tracks-edge --table coordinate_speed_new --workers 4'

export const fault = (code: ErrorInfo['code'], message: string, hint?: string): ErrorInfo => ({
  code,
  message,
  retryable: false,
  ...(hint === undefined ? {} : { hint }),
})

export function planLine(table: string, rows: number, more: Partial<CopyPlanLine> = {}): CopyPlanLine {
  return {
    table,
    to: table.replace(/^public\./, ''),
    status: 'copy',
    rows: String(rows),
    estimated: false,
    bytes: String(rows * 190),
    chunkRows: String(CHUNK),
    chunks: String(Math.ceil(rows / CHUNK)),
    key: ['id'],
    proof: 'canonical',
    create: true,
    onExisting: 'refuse',
    columns: [{ from: 'id', to: 'id', source: 'bigint', target: 'INTEGER' }],
    ...more,
  }
}

export function planned(copies: readonly CopyPlanLine[]): EventBody {
  const total = String(copies.reduce((sum, { rows }) => sum + Number(rows), 0))
  return {
    type: 'plan.ready',
    hash: '5b1e09c2',
    tables: String(copies.length),
    chunks: '45',
    unit: 'row',
    total,
    estimated: false,
    bytes: '410000000',
    excluded: [],
    copies,
  }
}

export type Begun = {
  readonly table?: string
  readonly rows?: number
  readonly chunks?: number
  readonly proved?: number
}

export function begun({ table = TABLE, rows = ROWS, chunks = CHUNKS, proved = 0 }: Begun = {}): EventBody {
  return {
    type: 'copy.started',
    table,
    to: table.replace(/^public\./, ''),
    rows: String(rows),
    estimated: false,
    key: ['id'],
    low: '1',
    high: String(rows),
    chunkRows: String(CHUNK),
    chunks: String(chunks),
    done: { chunks: String(proved), rows: String(proved * CHUNK) },
  }
}

/** Both bounds are part of the chunk, because its key is an integer. */
export function span(no: number): { from: readonly string[]; to: readonly string[] } {
  return { from: [String((no - 1) * CHUNK + 1)], to: [String(no === CHUNKS ? ROWS : no * CHUNK)] }
}

const counts = (
  aside: number,
): { read: string; written: string; skipped: string; quarantined: string; attempt: number; bytes: string } => ({
  read: String(CHUNK),
  written: String(CHUNK - aside),
  skipped: '0',
  quarantined: String(aside),
  attempt: 1,
  bytes: String((CHUNK - aside) * 143),
})

export const skipped = (no: number, aside = 0): EventBody => ({
  type: 'chunk.skipped',
  table: TABLE,
  chunk: String(no),
  ...span(no),
  ...counts(aside),
})
export const started = (no: number, worker: number): EventBody => ({
  type: 'chunk.started',
  table: TABLE,
  chunk: String(no),
  worker,
  total: String(CHUNK),
  unit: 'row',
  ...span(no),
})
export const moved = (
  no: number,
  worker: number,
  rows: number,
  step: 'reading' | 'writing' | 'proving',
): EventBody => ({
  type: 'chunk.progress',
  table: TABLE,
  chunk: String(no),
  worker,
  done: String(rows),
  total: String(CHUNK),
  unit: 'row',
  step,
  bytes: String(rows * 143),
})
export const done = (no: number, worker: number, aside = 0): EventBody => {
  const sum = `8c01d4e97b32aa${10 + no}`
  return {
    type: 'chunk.done',
    table: TABLE,
    chunk: String(no),
    worker,
    done: String(CHUNK - aside),
    unit: 'row',
    ms: 4600 + no,
    ...span(no),
    ...counts(aside),
    checksum: { source: sum, target: sum },
  }
}
export const retried = (no: number, attempt: number, waitMs: number): EventBody => ({
  type: 'chunk.retried',
  table: TABLE,
  chunk: String(no),
  attempt,
  waitMs,
  error: fault('CONNECTION_LOST', 'HTTP 502 from the target'),
})
export const failed = (no: number): EventBody => ({
  type: 'chunk.failed',
  table: TABLE,
  chunk: String(no),
  error: fault(
    'PROOF_FAILED',
    'rows in the target differ from the rows that were read from coordinate_speed_new: the 50000 rows have different values',
    'sluice diff names the rows that differ',
  ),
})
export const rowAside = (no: number, key: string): EventBody => ({
  type: 'row.aside',
  table: TABLE,
  chunk: String(no),
  key: [key],
  error: fault('ROW_REFUSED', 'NOT NULL constraint failed: coordinate_speed_new.speed'),
})
export const throttled: EventBody = {
  type: 'throttle.on',
  reason: 'the target answers 429, and asks to wait 1 s',
  rate: '6000',
}
