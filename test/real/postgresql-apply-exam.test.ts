import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChangeRequest, TargetPreflight } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { missing } from '../support/copy-systems.ts'
import { majorOf } from '../support/servers/postgresql.ts'
import { applied, changeTable, makeTarget, put, requestOf, type Target } from './postgresql-apply-kit.ts'

const absent = await missing('postgresql')

describe.skipIf(absent !== '')(`preflight check of a PostgreSQL target of changes ${absent}`, () => {
  const role = `r${randomBytes(6).toString('hex')}`
  let target: Target
  let weak: Target
  let hasMerge = true

  beforeAll(async () => {
    target = await makeTarget(`CREATE ROLE ${role} LOGIN PASSWORD 'weak'; GRANT ALL ON SCHEMA public TO ${role}`)
    hasMerge = (await majorOf(target.place.url)) >= 15
    const url = new URL(target.place.url)
    url.username = role
    url.password = 'weak'
    const store = await openPostgresCopy(url.href)
    const changes = store.offers.changeTarget
    if (changes === undefined) throw new Error('PostgreSQL takes no changes')
    weak = { place: target.place, store, changes }
  })
  afterAll(async () => {
    await weak.store[Symbol.asyncDispose]()
    await target.store[Symbol.asyncDispose]()
    await target.place.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
  })

  type Options = Partial<ChangeRequest> & {
    readonly as?: Target
    readonly identity?: readonly string[]
    readonly catchingUp?: boolean
  }

  async function preflight(name: string, sql: string, options: Options = {}): Promise<TargetPreflight> {
    const { as = target, identity = ['id'], catchingUp = false, ...more } = options
    await target.place.sql(sql)
    const table = await changeTable(target.store, name, identity)
    const found = await as.changes.inspect(requestOf([{ ...table, catchingUp }], more))
    return {
      ...found,
      notes: found.notes.filter((note) => hasMerge || !note.endsWith('or the server is older than 15')),
    }
  }

  const messages = ({ refusals }: TargetPreflight): string => refusals.map(({ message }) => message).join('\n')

  test('a plain table passes without notes', async () => {
    expect(await preflight('plain', 'CREATE TABLE plain (id int PRIMARY KEY, a text)')).toEqual({
      refusals: [],
      notes: [],
    })
  })

  test('a table without an index on the identity is refused, on every partition', async () => {
    expect(messages(await preflight('bare', 'CREATE TABLE bare (id int, a text)'))).toMatch(
      /no index of bare finds rows by \(id\)/,
    )
    expect(messages(await preflight('late', 'CREATE TABLE late (id int, at int, PRIMARY KEY (at, id))'))).toMatch(
      /no index of late/,
    )
    const parts = `CREATE TABLE parts (id int, at int) PARTITION BY RANGE (at);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (2); CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
      CREATE INDEX ON parts_1 (id, at)`
    expect(messages(await preflight('parts', parts))).toMatch(/no index of parts_2 finds/)
    expect(await preflight('parts', 'CREATE INDEX ON parts_2 (id)')).toMatchObject({
      refusals: [],
      notes: (hasMerge ? [/no unique index has exactly the columns \(id\)/] : []).map(
        (text) => expect.stringMatching(text) as string,
      ),
    })
    expect(
      messages(
        await preflight('partial', 'CREATE TABLE partial (id int); CREATE UNIQUE INDEX ON partial (id) WHERE id > 5'),
      ),
    ).toMatch(/no index/)
    expect(
      messages(await preflight('two', 'CREATE TABLE two (id int PRIMARY KEY, n int)', { identity: ['n', 'id'] })),
    ).toBe('')
  })

  test('views, foreign tables, rules, row security, missing columns and missing identities are refused', async () => {
    await target.place.sql('CREATE TABLE below (id int PRIMARY KEY, a text)')
    const table = await changeTable(target.store, 'below', ['id'])
    await target.place.sql('CREATE VIEW above AS SELECT * FROM below')
    const above = { ...table, table: { ...table.table, table: { name: 'above' } } }
    const gone = { ...table, table: { ...table.table, table: { name: 'gone' } } }
    const narrow = { ...table, table: { ...table.table, table: { name: 'narrow' } } }
    await target.place.sql('CREATE TABLE narrow (id int PRIMARY KEY)')
    const found = await target.changes.inspect(
      requestOf([above, gone, narrow, { ...table, identity: [] }, { ...table, identity: ['b'] }]),
    )
    expect(found.refusals.map(({ message }) => message)).toEqual([
      expect.stringMatching(/above is not an ordinary table/),
      'there is no table gone',
      'narrow has no column a',
      expect.stringMatching(/no columns identify the rows of/),
      expect.stringMatching(/the row key of .*below needs b/),
    ])
    expect(found.refusals.map((one) => one.table?.name)).toEqual(['above', 'gone', 'narrow', 'below', 'below'])
    expect(
      messages(
        await preflight(
          'ruled',
          'CREATE TABLE ruled (id int PRIMARY KEY); CREATE RULE r AS ON INSERT TO ruled DO INSTEAD NOTHING',
        ),
      ),
    ).toMatch(/rules of .*ruled.*: r$/)
    const secured = `CREATE TABLE secured (id int PRIMARY KEY); ALTER TABLE secured ENABLE ROW LEVEL SECURITY; GRANT ALL ON secured TO ${role}`
    expect(messages(await preflight('secured', secured, { as: weak }))).toMatch(
      /row security of .*secured applies to the role/,
    )
    expect(messages(await preflight('secured', 'SELECT 1'))).toBe('')
  })

  test('missing rights are named', async () => {
    const sql = `CREATE TABLE closed (id int PRIMARY KEY, a text); GRANT SELECT (id), INSERT ON closed TO ${role}`
    expect(messages(await preflight('closed', sql, { as: weak }))).toMatch(
      /the role has no SELECT, UPDATE, DELETE on .*closed/,
    )
    const open = `GRANT SELECT, UPDATE, DELETE ON closed TO ${role}`
    const found = await preflight('closed', open, { as: weak })
    expect(messages(found)).toBe('')
    expect(found.notes).toEqual([expect.stringMatching(/may not TRUNCATE/)])
    // What the preflight check accepts works, and rows are written one by one.
    await using writer = await weak.changes.open(requestOf([await changeTable(target.store, 'closed', ['id'])]))
    await target.place.sql(`GRANT ALL ON fence TO ${role}`, "INSERT INTO closed VALUES (1, 'x')")
    await writer.truncate([0])
    await applied(writer, [put(['2', 'y'])])
    expect(await target.place.rows('SELECT * FROM closed')).toEqual([['2', 'y']])
    expect(messages(await preflight('closed', 'SELECT 1', { as: weak, origin: 'sluice_none' }))).toMatch(
      /cannot be marked with the origin sluice_none/,
    )
    await target.place.sql(`REVOKE TEMP ON DATABASE ${new URL(target.place.url).pathname.slice(1)} FROM public`)
    expect(messages(await preflight('closed', 'SELECT 1', { as: weak }))).toMatch(/may not create temporary tables/)
    await target.place.sql(`GRANT TEMP ON DATABASE ${new URL(target.place.url).pathname.slice(1)} TO public`)
  })

  test('triggers that would fire twice are refused, unless the role can disable them or an option keeps them', async () => {
    const sql = `CREATE TABLE fires (id int PRIMARY KEY); GRANT ALL ON fires TO ${role};
      CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
      CREATE TRIGGER audit AFTER INSERT ON fires FOR EACH ROW EXECUTE FUNCTION f();
      CREATE TRIGGER always AFTER INSERT ON fires FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE fires ENABLE ALWAYS TRIGGER always`
    expect(messages(await preflight('fires', sql, { as: weak }))).toMatch(
      /triggers of .*fires would fire a second time.*: always, audit/,
    )
    const asked = await preflight('fires', 'SELECT 1', { as: weak, fireTriggers: true })
    expect(messages(asked)).toBe('')
    expect(asked.notes).toEqual([expect.stringMatching(/fire for changes, as requested: always, audit/)])
    const quiet = await preflight('fires', 'SELECT 1')
    expect(messages(quiet)).toBe('')
    expect(quiet.notes).toEqual([expect.stringMatching(/enabled ALWAYS or as REPLICA fire for changes: always$/)])
    // The right to set it exists from PostgreSQL 15 on.
    if (!hasMerge) return
    expect(
      messages(await preflight('fires', `GRANT SET ON PARAMETER session_replication_role TO ${role}`, { as: weak })),
    ).toBe('')
    await target.place.sql(`REVOKE SET ON PARAMETER session_replication_role FROM ${role}`)
  })

  test('foreign keys and secondary unique indexes must be added after a table has caught up', async () => {
    const sql = `CREATE TABLE parent (id int PRIMARY KEY, u int UNIQUE); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE);
      GRANT ALL ON parent, child TO ${role}`
    expect(messages(await preflight('child', sql, { catchingUp: true }))).toMatch(
      /foreign keys of .*child may refuse rows until the table has caught up: child_p_fkey of child/,
    )
    expect(messages(await preflight('parent', 'SELECT 1', { catchingUp: true }))).toMatch(
      /until it has caught up.*: parent_u_key$/,
    )
    // The printed statements run, and then nothing is in the way.
    const made = `CREATE TABLE loaded (id int PRIMARY KEY, u int CONSTRAINT "U u" UNIQUE, v int, w int CONSTRAINT "W w" REFERENCES parent); CREATE UNIQUE INDEX "J j" ON loaded (v)`
    const { refusals } = await preflight('loaded', made, { catchingUp: true })
    expect(refusals).toHaveLength(2)
    for (const { hint } of refusals) await target.place.sql(/^drop them: (.*); and create them/.exec(hint)?.[1] ?? '')
    expect(messages(await preflight('loaded', 'SELECT 1', { catchingUp: true }))).toBe('')
    const live = await preflight('parent', 'SELECT 1')
    expect(messages(live)).toBe('')
    expect(live.notes).toEqual([
      expect.stringMatching(/foreign keys are not checked/),
      expect.stringMatching(/tables outside of the stream refer to it/),
      expect.stringMatching(/deleted and inserted.* parent_u_key/),
    ])
    expect(messages(await preflight('parent', 'SELECT 1', { as: weak }))).toMatch(/foreign keys would refuse changes/)
    expect(messages(await preflight('parent', 'SELECT 1', { as: weak, fireTriggers: true }))).toMatch(
      /rows of other tables would be deleted/,
    )
  })

  test('a key that is wider than the identity is no secondary unique index', async () => {
    const sql = `CREATE TABLE wide (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE wide_1 PARTITION OF wide DEFAULT`
    expect(messages(await preflight('wide', sql, { catchingUp: true }))).toBe('')
  })

  test('rows of a cascade stay: foreign keys do not delete what refers to deleted rows', async () => {
    await target.place
      .sql(`CREATE TABLE top (id int PRIMARY KEY, u int UNIQUE); CREATE TABLE under (id int PRIMARY KEY, p int REFERENCES top ON DELETE CASCADE);
      INSERT INTO top VALUES (1, 1); INSERT INTO under VALUES (1, 1)`)
    await using writer = await target.changes.open(requestOf([await changeTable(target.store, 'top', ['id'])]))
    await applied(writer, [put(['1', '2'])])
    expect(await target.place.rows('SELECT top.u, under.id FROM top JOIN under ON p = top.id')).toEqual([['2', '1']])
  })
})
