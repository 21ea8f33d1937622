/** Cloudflare D1 as source and target of copies. */
import { randomBytes } from 'node:crypto'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { systemClock, type Clock } from '../../../shared/clock.ts'
import type { CopyStore, DeclaredColumn, DeclareOptions } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { redactText } from '../../../shared/redact.ts'
import type { StoreRetry } from '../../common/store-retry.ts'
import type { DependencyStore } from '../../../model/copy/dependency-port.ts'
import { sqliteDependencies } from '../../common/sqlite-dialect/dependency-list.ts'
import { d1ListRows } from './read-rows.ts'
import { otherSpelling } from '../../common/sqlite-dialect/spellings.ts'
import { declareSqliteType } from '../../common/sqlite-dialect/types.ts'
import { API_RATE, sharedBudget, type RequestBudget } from '../budget.ts'
import { D1Client, type ClientRule, type D1Usage, type Throttled } from '../client.ts'
import { d1Error } from '../errors.ts'
import { D1Failure } from '../failure.ts'
import { d1Settings, isDatabaseId, type D1Environment } from '../settings.ts'
import { D1Ledger } from './ledger.ts'
import { d1Objects } from './objects.ts'
import { D1Source } from './source.ts'
import { d1Tables } from './tables.ts'
import { creation, D1Target } from './target.ts'

export type D1CopyOptions = {
  readonly environment?: D1Environment
  readonly signal?: AbortSignal
  /** Called before a wait that the API or the budget demands; status 0 for a wait of the budget. */
  readonly onThrottle?: (why: Throttled) => void
  /** Called before a request is sent again. */
  readonly onRetry?: (again: StoreRetry) => void
  /** Rows per INSERT; default: as many as fit. */
  readonly rowsPerInsert?: number
  /** For tests; default: the budget shared in this program. */
  readonly budget?: RequestBudget
  readonly rule?: Partial<ClientRule>
  readonly clock?: Pick<Clock, 'now'>
}

type D1Probe = {
  /** True if a request whose last statement fails leaves no effects of its other statements. */
  readonly atomic: boolean
  /** True if SQLite can decode JSON and hexadecimal digits, the form in which rows are sent. */
  readonly functions: boolean
}

export interface D1CopyStore extends CopyStore {
  /** Quotas used so far. */
  readonly usage: D1Usage
  /** Tests the service's guarantees that copies need; leaves nothing behind. @throws SluiceError TARGET_DENIED … */
  probe(signal: AbortSignal): Promise<D1Probe>
}

/**
 * Tests whether the service gives the guarantees that copies need: only the service itself can show that.
 * @throws D1Failure if the database cannot be queried, or refuses writes
 */
async function probe(client: D1Client, signal: AbortSignal): Promise<D1Probe> {
  const name = `sluice_probe_${randomBytes(8).toString('hex')}`
  try {
    await client.once(
      [
        { sql: `CREATE TABLE ${name} (x)`, params: [] },
        { sql: "SELECT json('fenced')", params: [] },
      ],
      { signal },
    )
  } catch (error) {
    if (!(error instanceof D1Failure) || !/malformed JSON/i.test(error.message)) throw error
  }
  const [left] = await client.read([{ sql: 'SELECT 1 FROM sqlite_schema WHERE name = ?', params: [name] }], { signal })
  const atomic = left?.rows.length === 0
  if (!atomic) await client.read([{ sql: `DROP TABLE IF EXISTS ${name}`, params: [] }], { signal })
  const taken = { sql: 'SELECT value->>0, hex(unhex(value->>1)) FROM json_each(?)', params: ['[["7", "00ff"]]'] }
  try {
    const [result] = await client.read([taken], { signal })
    return { atomic, functions: JSON.stringify(result?.rows) === '[["7","00FF"]]' }
  } catch (error) {
    if (error instanceof D1Failure && error.kind === 'sql') return { atomic, functions: false }
    throw error
  }
}

const CAN: StoreAbilities = {
  atomic: 'batch',
  readsPages: true,
  snapshot: 'none',
  writers: 4,
  hosts: 'any',
  frames: [],
  folds: { tables: 'ascii', columns: true },
  decimals: 'declared',
  textTimes: true,
  numbering: 'whole key',
  requests: API_RATE,
  quotas: [
    { plan: 'free', rowsADay: 100_000, bytes: 500_000_000 },
    { plan: 'paid', bytes: 10_000_000_000 },
  ],
}

/**
 * Opens `d1://ACCOUNT/DATABASE`, where DATABASE is the id or the name of a database. Token and address of the API come
 * from the environment: CLOUDFLARE_API_TOKEN, CLOUDFLARE_API_BASE_URL.
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, RATE_LIMITED, TLS_FAILED
 */
export async function openD1Copy(url: string, options: D1CopyOptions = {}): Promise<D1CopyStore> {
  const {
    environment = process.env,
    signal = new AbortController().signal,
    rule,
    onThrottle,
    onRetry,
    rowsPerInsert,
    clock = systemClock,
  } = options
  const settings = d1Settings(url, environment)
  let isOpening = true
  const client = new D1Client(settings, {
    budget: options.budget ?? sharedBudget(settings.base, settings.token),
    ...(rule === undefined ? {} : { rule }),
    ...(onThrottle === undefined ? {} : { onThrottle }),
    onRetry: (failure, attempt, forMs) => {
      const label = `d1://${settings.account}/${settings.database}`
      const why = redactText(failure.message, settings.secrets)
      onRetry?.({ label, why, attempt, forMs, ...(isOpening ? {} : { isOpen: true }) })
    },
  })
  try {
    if (!isDatabaseId(settings.database)) await client.resolve(settings.database, signal)
    await client.read([{ sql: 'SELECT 1', params: [] }], { signal })
  } catch (error) {
    throw d1Error(error, settings, 'connect')
  }
  isOpening = false
  return new D1Store(client, rowsPerInsert, clock)
}

class D1Store implements D1CopyStore {
  readonly system = 'd1'
  readonly can = CAN
  readonly offers = { spellings: { condition: otherSpelling } }
  readonly schema = null
  readonly label: string
  readonly identity: string
  readonly #client: D1Client
  readonly #rowsPerInsert: number | undefined
  readonly #clock: Pick<Clock, 'now'>
  /** Aborts running requests when the store is closed. */
  readonly #open = new AbortController()

  constructor(client: D1Client, rowsPerInsert: number | undefined, clock: Pick<Clock, 'now'>) {
    this.#client = client
    this.#rowsPerInsert = rowsPerInsert
    this.#clock = clock
    this.label = client.settings.label
    this.identity = `d1:${client.settings.account}/${client.database}`
  }

  get usage(): D1Usage {
    return this.#client.usage
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    return this.#guard(() => d1Tables(this.#client, pattern, signal))
  }

  declare(type: ColumnType, _inKey?: boolean, options?: DeclareOptions): DeclaredColumn {
    return declareSqliteType(type, options?.decimal)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    return new D1Source(this.#client, this.#clock.now(), signal)
  }

  target(): CopyTarget {
    return new D1Target(this.#client, this.#rowsPerInsert)
  }

  async refuseUncreatable(table: TableSpec): Promise<void> {
    creation(table)
  }

  objects(): ObjectStore {
    return d1Objects(this.#client)
  }

  dependencies(): DependencyStore {
    return sqliteDependencies(d1ListRows(this.#client))
  }

  async ledger(): Promise<LedgerDatabase> {
    return new D1Ledger(this.#client, this.#open.signal)
  }

  async probe(signal: AbortSignal): Promise<D1Probe> {
    return this.#guard(() => probe(this.#client, signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open.abort()
  }

  async #guard<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body()
    } catch (error) {
      throw d1Error(error, this.#client.settings)
    }
  }
}
