/** Which store copies go from and to, by URL. Each is loaded when it is first asked for. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { urlScheme } from '../../model/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import type { CassandraWish } from '../operation.ts'
import { onSide } from './sides.ts'

const KNOWN =
  'postgresql://user@host/database, mysql://user@host/database, sqlite:///file.db, duckdb:///file.duckdb, d1://ACCOUNT/DATABASE or cassandra://user@host,host/keyspace'

export type StoreOptions = {
  /** `plan`: looked at like `read`; a file that is not there yet is an empty database. */
  readonly mode: 'read' | 'write' | 'plan'
  /** Rows of one INSERT, where a service takes them in statements. */
  readonly rowsPerInsert?: number
  /** Where the store says that it has to wait for a service. */
  readonly onThrottle?: (why: { readonly status: number; readonly waitMs: number }) => void
  /** How Cassandra is read and written, where the run says so. */
  readonly cassandra?: CassandraWish
  /** Told of rows that could only be written at ONE: their table and key in the target. */
  readonly onWeakWrite?: (table: string, key: readonly (string | null)[], why: string) => void
}

/** The store that a copy reads; what keeps it from being opened is the source's failure. @throws as `openCopyStore` */
export function openSourceStore(url: string, cassandra?: CassandraWish): Promise<CopyStore> {
  const wish = cassandra === undefined ? {} : { cassandra }
  return onSide('source', () => openCopyStore(url, { mode: 'read', ...wish }))
}

/**
 * @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, CONNECT_FAILED
 */
export async function openCopyStore(url: string, options: StoreOptions): Promise<CopyStore> {
  if (options.mode === 'plan') return openPlanned(url, options)
  const scheme = /^([a-z][a-z0-9+]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? ''
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return (await import('../../stores/postgresql/copy/index.ts')).openPostgresCopy(url)
    case 'mysql':
    case 'mariadb':
      return (await import('../../stores/mysql/copy/index.ts')).openMysqlCopy(url)
    case 'sqlite':
      return (await import('../../stores/sqlite/copy/index.ts')).openSqliteCopy(fileOf(url, scheme), {
        mode: options.mode,
        label: url,
      })
    case 'duckdb':
      return (await import('../../stores/duckdb/copy/index.ts')).openDuckdbCopy(fileOf(url, scheme), {
        mode: options.mode,
        label: url,
      })
    case 'd1':
      return (await import('../../stores/d1/copy/index.ts')).openD1Copy(url, options)
    case 'cassandra':
    case 'ycql':
      return (await import('../../stores/cassandra/copy/index.ts')).openCassandraCopy(url, options)
    default:
      throw new SluiceError('UNSUPPORTED_URL', `${redactUrl(url)} is no database that copies know`, {
        hint: `give --from and --to as ${KNOWN}`,
      })
  }
}

async function openPlanned(url: string, options: StoreOptions): Promise<CopyStore> {
  const scheme = /^(sqlite|duckdb):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme === undefined || existsSync(fileOf(url, scheme))) return openCopyStore(url, { ...options, mode: 'read' })
  const folder = mkdtempSync(join(tmpdir(), 'sluice-plan-'))
  const store = await openCopyStore(`${scheme}:///${join(folder, 'empty')}`, { mode: 'write' })
  const dispose = store[Symbol.asyncDispose].bind(store)
  return Object.assign(store, {
    [Symbol.asyncDispose]: async () => {
      await dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  })
}

function fileOf(url: string, scheme: string): string {
  const path = /^[a-z0-9+]+:\/\/\/(.+)$/is.exec(url)?.[1]
  const remote = path === undefined ? null : urlScheme(path)
  if (remote !== null) {
    throw new SluiceError('BAD_CONFIG', `a ${scheme} database is a file of this machine, and no ${remote}: URL`, {
      hint: `write ${scheme}:///file, with the path of the file`,
    })
  }
  if (path !== undefined && path !== ':memory:') return resolve(path)
  throw new SluiceError('BAD_CONFIG', `${url} names no file`, { hint: `write ${scheme}:///file, with three slashes` })
}
