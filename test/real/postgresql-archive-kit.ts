/** A partitioned table and a ledger, and requests as archives make them. */
import type { TableName, TableSpec } from '../../src/model/copy/column-type.ts'
import type { Digest } from '../../src/model/copy/rows.ts'
import type {
  DetachLimits,
  NativePartition,
  PartitionRequest,
  PartitionStore,
  StepEnd,
} from '../../src/model/archive/port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ReadColumn } from '../../src/model/copy/read-column.ts'
import { request, SIGNAL, tableNamed, type Psql } from './copy-postgresql-kit.ts'

/** Closes a row of `ledger` for the owner with a fencing token. */
export function closingFor(fence = 7): Closing {
  const parameters = [fence]
  return {
    statements: [
      { sql: "UPDATE ledger SET status = 'closed' WHERE status = 'open' AND fence = ?", parameters },
      { sql: 'INSERT INTO closed (fence) VALUES (?)', parameters },
    ],
    guard: { sql: "SELECT 1 FROM ledger WHERE status = 'open' AND fence = ?", parameters },
    landed: { sql: "SELECT 1 FROM ledger WHERE status = 'closed' AND fence = ?", parameters },
  }
}

export async function reopenLedger(direct: Psql): Promise<void> {
  await direct.run(`CREATE TABLE IF NOT EXISTS ledger (status text, fence int); CREATE TABLE IF NOT EXISTS closed (fence int);
    TRUNCATE ledger, closed; INSERT INTO ledger VALUES ('open', 7)`)
}

export async function ledgerStatus(direct: Psql): Promise<unknown> {
  return (await direct.rows('SELECT status FROM ledger'))[0]?.[0]
}

/** Rows of three months of 2024, a hundred in each. */
export async function makeBookings(direct: Psql, name = 'bookings'): Promise<void> {
  await direct.run(`DROP TABLE IF EXISTS ${name} CASCADE; DROP SCHEMA IF EXISTS sluice_archived CASCADE;
    CREATE TABLE ${name} (id bigint GENERATED ALWAYS AS IDENTITY, day date NOT NULL, note text, raw bytea, half int GENERATED ALWAYS AS (length(note) / 2) STORED,
      tags text[], PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE INDEX ON ${name} (note);
    CREATE TABLE ${name}_m3 PARTITION OF ${name} FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
    CREATE TABLE ${name}_m1 PARTITION OF ${name} FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
    CREATE TABLE ${name}_m2 PARTITION OF ${name} FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
    INSERT INTO ${name} (day, note, raw, tags) SELECT '2024-01-01'::date + i % 91, E'note "' || i || E'",\\n', decode(md5(i::text), 'hex'),
      ARRAY[i::text, NULL] FROM generate_series(0, 299) i`)
}

export function archivedColumns(table: TableSpec): readonly ReadColumn[] {
  return table.columns
    .filter(({ generated }) => generated !== true)
    .map((column) => ({
      name: column.name,
      as: column.type.kind === 'list' ? { kind: 'native', name: column.native } : column.type,
      column,
    }))
}

export function storeOf(store: CopyStore): PartitionStore {
  const partitions = store.offers.partitions
  if (partitions === undefined) throw new Error('no partitions')
  return partitions
}

/** Lock timeouts for tests that do not set them. */
export const WAITS = { lockTimeoutMs: 100, retryLimitMs: 2000, stop: SIGNAL }

/** Detaches a partition from its parent. */
export async function takenOut(
  parts: PartitionStore,
  asked: PartitionRequest,
  waits: Partial<DetachLimits> = {},
): Promise<StepEnd> {
  return (await parts.detach({ ...asked, ...WAITS, ...waits })).end
}

export type Case = {
  readonly partition: NativePartition
  readonly request: PartitionRequest & {
    readonly expect: Digest
    readonly from: string | null
    readonly to: string | null
  }
  readonly csv: Buffer
  readonly expect: Digest
}

/** What an archive records of a partition after the export. */
export async function exported(store: CopyStore, parent: TableName, name: string): Promise<Case> {
  const spec = await tableNamed(
    store,
    `"${(parent.schema ?? 'public').replaceAll('"', '""')}"."${parent.name.replaceAll('"', '""')}"`,
  )
  const listed = await storeOf(store).list(spec, SIGNAL)
  const partition = listed?.partitions.find(({ table }) => table.table.name === name)
  if (partition === undefined) throw new Error(`${name} is no partition`)
  const columns = archivedColumns(partition.table)
  await using view = await store.source(SIGNAL)
  const wanted = request(partition.table, { columns })
  const expect = await view.digest(wanted, SIGNAL)
  const pieces: Buffer[] = []
  for await (const piece of view.csv?.(wanted, SIGNAL) ?? []) pieces.push(piece)
  const { from, to, identity } = partition
  return {
    partition,
    expect,
    csv: Buffer.concat(pieces),
    request: {
      parent,
      partition: partition.table.table,
      identity,
      columns,
      expect,
      closing: closingFor(),
      signal: SIGNAL,
      from,
      to,
    },
  }
}
