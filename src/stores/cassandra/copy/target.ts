/** A Cassandra keyspace as the target of a copy. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import type { Clock } from '../../../shared/clock.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { removeCassandraRows } from '../archive/remove.ts'
import type { CassandraLink } from '../connect.ts'
import { askingCassandra, cassandraError } from '../errors.ts'
import { makeTable, truncate } from './ddl.ts'
import { RequestFlow } from './flow.ts'
import { refuseInvalidCondition } from './select.ts'
import { SameTable } from './same-table.ts'
import { cassandraTableShape } from './shape.ts'
import { cassandraSourceError } from './source-errors.ts'
import type { WriteOptions } from './write-options.ts'
import { removeKeys } from './timed-removal.ts'
import { CassandraChunkWriter } from './writer.ts'

export class CassandraTarget implements CopyTarget {
  readonly #link: CassandraLink
  readonly request: WriteOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #ledger: () => Promise<LedgerDatabase>
  readonly #flow: RequestFlow
  readonly #same: SameTable
  /** By table: options that the server refused. */
  readonly #refused = new Map<string, readonly string[]>()

  /** @param ledger opens the ledger, which records finished chunks */
  constructor(
    link: CassandraLink,
    ledger: () => Promise<LedgerDatabase>,
    options: WriteOptions,
    clock: Pick<Clock, 'now'>,
    flow: RequestFlow = new RequestFlow(),
  ) {
    this.#link = link
    this.#ledger = ledger
    this.request = options
    this.#clock = clock
    this.#flow = flow
    this.#same = new SameTable(link)
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    const refused = await askingCassandra(this.#link, 'schema', () => makeTable(this.#link, table, signal))
    this.#refused.set(tableText(table.table), refused)
  }

  refusedSettings(table: TableName): readonly string[] {
    return this.#refused.get(tableText(table)) ?? []
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    await askingCassandra(this.#link, 'schema', () => truncate(this.#link, table, signal))
  }

  /**
   * Does nothing: Cassandra needs no work after loading. @returns a note for each sequence, which Cassandra does not
   * have
   */
  async finish(
    _table: TableSpec,
    _signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    return sequences.map(({ column }) => `${column} is numbered by a sequence in the source, and Cassandra has none`)
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    const { table, onExisting, range } = request
    if (onExisting === 'replace-range' && range.by !== 'keys') {
      throw new SluiceError('UNSUPPORTED_KEY', `Cassandra cannot replace a range of ${tableText(table.table)}`, {
        reason: 'copied rows keep their old write times, so a deletion of the range, which is newer, would hide them',
        hint: 'copy with --on-existing upsert, or TRUNCATE the table and copy with --on-existing refuse',
      })
    }
    await askingCassandra(this.#link, 'schema', () => this.#same.check(table.table))
    const shape = await askingCassandra(this.#link, 'schema', () => cassandraTableShape(this.#link, table.table))
    if (onExisting === 'replace-range')
      await askingCassandra(this.#link, 'write', () => removeKeys(this.#link, request, shape, this.#flow))
    return new CassandraChunkWriter(
      {
        link: this.#link,
        flow: this.#flow,
        ledger: this.#ledger,
        options: this.request,
        now: this.#clock.now(),
        same: this.#same,
      },
      shape,
      request,
    )
  }

  async remove(request: RemoveRequest): Promise<StepEnd> {
    throwIfAborted(request.signal)
    refuseInvalidCondition(request.where)
    const ledger = await this.#ledger()
    try {
      return await removeCassandraRows({ link: this.#link, flow: this.#flow, ledger }, request)
    } catch (error) {
      throwIfAborted(request.signal)
      const ofSource =
        request.where === null ? null : cassandraSourceError(error, this.#link, request.table, request.where)
      if (ofSource instanceof SluiceError && ofSource.code === 'BAD_PREDICATE') throw ofSource
      throw cassandraError(error, this.#link.settings, 'write')
    }
  }
}
