/**
 * The old table of a cutover: it has a hostile name and its guard, and the ledger has rows of the cutover and of the
 * reverse stream.
 */
import { randomBytes } from 'node:crypto'
import { makeLateTable } from '../../src/engine/copy/ledger/late-tables.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { StreamLedger } from '../../src/engine/copy/ledger/streams.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import type { Place } from '../support/copy-systems.ts'

export const SCHEMA = 'We"ird .x'
export const PUBLIC = "Book'ings"
export const PARKED = 'Book\'ings "old"'
const q = (name: string): string => `"${name.replaceAll('"', '""')}"`
export const PUBLIC_SQL = `${q(SCHEMA)}.${q(PUBLIC)}`
export const PARKED_SQL = `${q(SCHEMA)}.${q(PARKED)}`
const SEQUENCE_SQL = `${q(SCHEMA)}.${q(`${PARKED}_Id_seq`)}`
export const PARKED_TEXT = `${SCHEMA}.${PARKED}`
export const STREAM = '77'
export const DAY = 86_400_000

export type Parked = {
  /** Two roles that have rights on the old table, unquoted. */
  readonly roles: readonly [string, string]
  endStream(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * @param switchedAgoMs how long ago the cutover was
 * @param ended whether the reverse stream has ended
 */
export async function parkTable(
  place: Place,
  { switchedAgoMs = 8 * DAY, ended = true }: { switchedAgoMs?: number; ended?: boolean } = {},
): Promise<Parked> {
  const mark = randomBytes(4).toString('hex')
  const roles = [`re"ader ${mark}`, `Writer ${mark}`] as const
  const [reader, writer] = roles.map(q)
  await place.sql(
    `CREATE SCHEMA ${q(SCHEMA)}`,
    ...[reader, writer].map((role) => `CREATE ROLE ${role ?? ''}`),
    `GRANT USAGE ON SCHEMA ${q(SCHEMA)} TO PUBLIC`,
    `CREATE TABLE ${PARKED_SQL} ("Id" serial PRIMARY KEY, at date NOT NULL, "no te" text)`,
    `INSERT INTO ${PARKED_SQL} (at, "no te") SELECT date '2024-04-01' + i % 60, 'n' FROM generate_series(1, 500) i`,
    `CREATE TABLE ${PUBLIC_SQL} ("Id" int NOT NULL DEFAULT nextval('${SEQUENCE_SQL.replaceAll("'", "''")}'), at date NOT NULL, "no te" text, PRIMARY KEY ("Id", at)) PARTITION BY RANGE (at)`,
    `CREATE TABLE ${q(SCHEMA)}.p PARTITION OF ${PUBLIC_SQL} FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`,
    `INSERT INTO ${PUBLIC_SQL} SELECT * FROM ${PARKED_SQL}`,
    `CREATE FUNCTION ${q(SCHEMA)}.sluice_parked_1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'parked'; END $$`,
    `CREATE TRIGGER " sluice_parked" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${PARKED_SQL} FOR EACH STATEMENT EXECUTE FUNCTION ${q(SCHEMA)}.sluice_parked_1()`,
    `GRANT SELECT ON ${PARKED_SQL} TO PUBLIC`,
    `GRANT SELECT, INSERT ON ${PARKED_SQL} TO ${writer ?? ''} WITH GRANT OPTION`,
    `GRANT UPDATE ("no te") ON ${PARKED_SQL} TO ${reader ?? ''}`,
    `SET ROLE ${writer ?? ''}; GRANT INSERT ON ${PARKED_SQL} TO ${reader ?? ''}; RESET ROLE`,
  )
  const noted = await noteSwitch(place, { schema: SCHEMA, public: PUBLIC, parked: PARKED }, { switchedAgoMs, ended })
  return {
    roles,
    endStream: () => noted.endStream(),
    async [Symbol.asyncDispose]() {
      await noted[Symbol.asyncDispose]()
      await place.sql(`DROP SCHEMA ${q(SCHEMA)} CASCADE`, ...[reader, writer].map((role) => `DROP ROLE ${role ?? ''}`))
    },
  }
}

export type Switched = { readonly schema: string; readonly public: string; readonly parked: string }

/** Statement that gives a cutover in the ledger its document, with the tables that have these names now. */
export function documentSql({ schema, public: named, parked }: Switched): string {
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
  const one = (name: string): string =>
    `json_build_object('name', json_build_object('schema', ${text(schema)}, 'name', ${text(name)}), 'identity',
       concat_ws('/', 'postgresql', (SELECT system_identifier FROM pg_control_system()), (SELECT oid FROM pg_database WHERE datname = current_database()),
         (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${text(schema)} AND c.relname = ${text(name)})))`
  return `UPDATE migration_switches SET document = json_build_object('format', 'sluice-cutover', 'version', 1,
    'tables', json_build_object('public', ${one(named)}, 'parked', ${one(parked)}))::text`
}

/** Rows of the ledger as a cutover and its reverse stream leave them. */
export async function noteSwitch(
  place: Place,
  tables: Switched,
  { switchedAgoMs = 8 * DAY, ended = true }: { switchedAgoMs?: number; ended?: boolean } = {},
): Promise<Pick<Parked, 'endStream' | typeof Symbol.asyncDispose>> {
  const { schema, public: named, parked: oldTable } = tables
  const store = await openPostgresCopy(place.url)
  const database = await store.ledger()
  await prepareLedger(database)
  const streams = new StreamLedger(database, { ...newOwner(), runId: 1n })
  await streams.prepare()
  await streams.begin(
    { id: STREAM, source: place.url, sourceIdentity: store.identity, wishes: '{}' },
    [{ key: { schema, name: oldTable }, source: `${schema}.${named}` }],
    'test',
  )
  await streams.note(STREAM, 'active')
  const endStream = async (): Promise<void> => streams.note(STREAM, 'ended')
  if (ended) await endStream()
  await makeLateTable(database, 'migration_switches')
  const at = Date.now() - switchedAgoMs
  await database.batch([
    {
      sql: `INSERT INTO migration_switches (switch_id, stream_id, reverse_stream_id, run_id, turn, status, public_table, taken_table, parked_table, tries, begun_ms, switched_ms)
            VALUES ('s1', '76', ?, 1, 1, 'done', ?, ?, ?, 1, ?, ?)`,
      parameters: [STREAM, `${schema}.${named}`, `${schema}.twin`, `${schema}.${oldTable}`, at, at],
    },
    { sql: documentSql(tables), parameters: [] },
  ])
  return {
    endStream,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}
