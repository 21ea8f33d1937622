/** DuckDB files as sources and targets of copies. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, DeclaredColumn } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import type { DependencyStore } from '../../../model/copy/dependency-port.ts'
import { Turn } from '../../../model/run/turn.ts'
import { DuckdbApply } from '../follow/apply/index.ts'
import { OpenPath } from '../../common/open-path.ts'
import { OpenFile } from '../open-file.ts'
import type { DuckdbOffers } from '../offered.ts'
import { timeCondition } from '../archive/time.ts'
import { DuckdbDependencies } from './dependencies.ts'
import { duckdbCopyError, type DuckdbCopySide } from '../errors.ts'
import { duckdbTables } from './introspect.ts'
import { DuckdbLedger } from './ledger.ts'
import { DuckdbObjects } from './objects.ts'
import { DuckdbCopySession, type DuckdbParts } from './session.ts'
import { DuckdbView } from './source.ts'
import { createDuckdbTable, DuckdbTarget } from './target.ts'
import { declareDuckdbType } from './types.ts'

export type DuckdbCopyOptions = { readonly mode: 'read' | 'write'; readonly label: string }

const ABILITIES: StoreAbilities = {
  farTimes: true,
  rowNumbers: 'rowid',
  noListKeys: true,
  atomic: 'chunk',
  snapshot: 'shared',
  writers: 1,
  hosts: 'one',
  frames: [],
  folds: { tables: 'ascii', columns: true },
  // A JavaScript string has at most about 536 million characters.
}

/**
 * Opens a DuckDB file exclusively for this program. `write` mode creates a missing file.
 * @throws SluiceError LEDGER_BUSY if another program has a target open, TARGET_BUSY if another program has a source
 * open, CONNECT_FAILED, TARGET_DENIED, TARGET_CORRUPT
 */
export async function openDuckdbCopy(file: string, { mode, label }: DuckdbCopyOptions): Promise<CopyStore> {
  const path = resolve(file)
  const side: DuckdbCopySide = mode === 'read' ? 'source' : 'target'
  if (mode === 'read' && !existsSync(path)) {
    throw duckdbCopyError(new Error('No such file or directory'), label, side)
  }
  let database: OpenFile | null = null
  try {
    database = await OpenFile.open(path, { mode, label })
    const opened: Opened = { path, label, side, database }
    const reader = await connect(opened)
    return new DuckdbCopy(opened, reader, mode === 'write' ? await connect(opened) : null)
  } catch (error) {
    await database?.close()
    throw busyAsLedgerBusy(duckdbCopyError(error, label, side), side)
  }
}

type Opened = {
  readonly path: string
  readonly label: string
  readonly side: DuckdbCopySide
  readonly database: OpenFile
}

async function connect({ database, label, side }: Opened): Promise<DuckdbCopySession> {
  return DuckdbCopySession.open(await database.connect(), label, side)
}

/**
 * Maps TARGET_BUSY of a target to LEDGER_BUSY: the program that has the target open is treated as another copy into it.
 */
function busyAsLedgerBusy(error: unknown, side: DuckdbCopySide): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'TARGET_BUSY' || side === 'source') return error
  const { where, reason } = error
  return new SluiceError('LEDGER_BUSY', error.message, {
    cause: error,
    hint: 'wait until it ends or close it, then run the same command again',
    where,
    reason,
  })
}

class DuckdbCopy implements CopyStore {
  readonly system = 'duckdb'
  readonly label: string
  readonly identity: string
  readonly can = ABILITIES
  readonly offers: DuckdbOffers
  readonly schema = 'main'
  readonly #opened: Opened
  readonly #writer: DuckdbCopySession | null
  readonly #parts: DuckdbParts
  readonly #path: OpenPath

  constructor(opened: Opened, reader: DuckdbCopySession, writer: DuckdbCopySession | null) {
    this.#opened = opened
    this.#writer = writer
    this.label = opened.label
    this.#parts = {
      reader,
      writer: () => {
        if (writer === null) throw new Error('the database was opened for reading')
        this.#path.check()
        return writer
      },
      turn: new Turn(),
      label: opened.label,
    }
    this.offers = { times: { condition: timeCondition }, changeTarget: new DuckdbApply(this.#parts) }
    this.#path = new OpenPath(opened.path, opened.label, opened.side)
    this.identity = `duckdb ${this.#path.identity}`
  }

  tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    return duckdbTables(this.#parts.reader, pattern, signal)
  }

  declare(type: ColumnType): DeclaredColumn {
    const declared = declareDuckdbType(type)
    return declared.native === 'JSON' ? { ...declared, spelled: true } : declared
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    this.#path.check()
    const session = await connect(this.#opened)
    try {
      // A file open for reading has no writer. Without a transaction, a failed statement affects no other.
      if (this.#opened.side === 'source') return new DuckdbView(session, this.#path)
      await session.begin()
      // The first read fixes the snapshot of the transaction.
      await session.rows('SELECT count(*) FROM duckdb_tables()', [], { signal })
      return new DuckdbView(session, this.#path)
    } catch (error) {
      session.close()
      throw error
    }
  }

  target(): CopyTarget {
    return new DuckdbTarget(this.#parts)
  }

  async refuseUncreatable(table: TableSpec): Promise<void> {
    createDuckdbTable(table)
  }

  objects(): ObjectStore {
    return new DuckdbObjects(this.#parts)
  }

  dependencies(): DependencyStore {
    return new DuckdbDependencies(this.#parts.reader)
  }

  async ledger(): Promise<LedgerDatabase> {
    return new DuckdbLedger({ ...this.#parts, reader: await connect(this.#opened) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Wait until the chunk that is being written has ended.
    await this.#parts.turn.take(() => undefined)
    this.#parts.reader.close()
    this.#writer?.close()
    await this.#opened.database.close()
  }
}
