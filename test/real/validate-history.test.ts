/**
 * Logs that were cleaned or have new commits are no difference; rewritten logs, and second sources that disagree, are
 * one.
 */
import {
  ACTION_COLUMNS,
  COMMIT_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  PARTITION_COLUMNS,
  PROTOCOL_COLUMNS,
  TXN_COLUMNS,
} from '../../src/catalog/relations.ts'
import { appendFile, cp, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ALL } from '../support/backend.ts'
import { validateTable } from '../../src/catalog/validate/index.ts'
import { Interrupter, NEVER } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'
import { addLine, COMMITS, makeLake } from './validate-lake.ts'
import { differencesOf, HAVE_TABLES, imported, importInto, seeded, TABLES, validated } from './validate-setup.ts'

const name = (version: number, rest = 'json'): string => `_delta_log/${String(version).padStart(20, '0')}.${rest}`

async function copied(table: string): Promise<AsyncDisposable & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-copy-'))
  await cp(join(TABLES, table), folder, { recursive: true })
  // The commits of a lake have increasing times; those of an unpacked one may be equal.
  for (const file of await readdir(join(folder, '_delta_log'))) {
    const version = /^\d{20}/.exec(file)
    if (version !== null) {
      const time = 1_700_000_000 + Number(version[0])
      await utimes(join(folder, '_delta_log', file), time, time)
    }
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  return thrown instanceof SluiceError ? thrown.code : String(thrown)
}

describe('a log that changed since the import', () => {
  it.skipIf(!HAVE_TABLES)('was cleaned: what both still have agrees', async () => {
    for (const table of [
      'delta-rs/simple_table_with_checkpoint',
      'kernel-rs-packed/v2-checkpoints-json-with-sidecars',
      'delta-golden/checkpoint',
    ]) {
      await using lake = await copied(table)
      await using subject = await imported(lake.folder)
      const checkpoint = { 'delta-rs/simple_table_with_checkpoint': 10, 'delta-golden/checkpoint': 10 }[table] ?? 6
      for (let v = 0; v <= checkpoint; v++) await rm(join(lake.folder, name(v)), { force: true })
      const result = await validated(subject)
      expect(differencesOf(result.events)).toEqual([])
      expect(result.notes.join()).toContain(`the log now begins at version ${checkpoint}`)
      expect(result.versions[0]).toBe(checkpoint)
    }
  })

  it.skipIf(!HAVE_TABLES)('was cleaned: a difference at the boundary is found', async () => {
    await using lake = await copied('delta-rs/simple_table_with_checkpoint')
    await using subject = await imported(lake.folder)
    for (let v = 0; v <= 10; v++) await rm(join(lake.folder, name(v)), { force: true })
    await subject.catalog.write((tx) =>
      tx.run(
        'UPDATE delta_files SET size = size + 1 WHERE removed_version IS NULL AND file_no IN (SELECT min(file_no) FROM delta_files WHERE removed_version IS NULL)',
      ),
    )
    expect((await validated(subject)).differences).toBeGreaterThan(0)
  })

  it('has new commits: the catalog is compared at its own version', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    await writeFile(join(lake.folder, name(4)), `${addLine('p=a/late.parquet')}\n`)
    const behind = await validated(subject)
    expect(differencesOf(behind.events)).toEqual([])
    expect(behind.version).toBe(3)
    expect(behind.notes.join()).toContain('the log has reached version 4')
    await importInto(subject.catalog, subject.log, 't')
    const after = await validated(subject)
    expect(differencesOf(after.events)).toEqual([])
    expect(after.version).toBe(4)
  })

  it('was rewritten: the commit is named', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    const file = join(lake.folder, name(1))
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('"size":200', '"size":201'))
    await utimes(file, 1_700_000_095, 1_700_000_095)
    const found = differencesOf((await validated(subject)).events)
    expect(found).toContain('files v1 p=a/2.parquet size: log 201 | catalog 200')
    expect(found.join('\n')).toContain('commits v1  log_digest')
    expect(found.join('\n')).toContain('commits v1  num_bytes')
  })

  it('cannot be built or read any more: that is an error, not a difference', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    await appendFile(join(lake.folder, name(3)), '{"add":')
    expect(await codeOf(validated(subject))).toBe('BAD_ACTION')
    await rm(join(lake.folder, name(3)))
    expect(await codeOf(validated(subject))).toBe('LOG_GAP')
    expect(await codeOf(validated({ ...subject, tableId: 'nobody' }))).toBe('NOT_IMPORTED')
  })

  it('was restored: the number of differences returns to none', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    const { catalog } = subject
    await catalog.write((tx) => tx.run('DELETE FROM delta_files WHERE table_id = ?', ['t']))
    const result = await validated(subject)
    expect(result.differences).toBeGreaterThan(7)
    expect(result.events.filter((e) => e.type === 'verify.check' && !e.equal).length).toBeGreaterThan(3)
  })
})

describe('rows', () => {
  const COLUMNS: Readonly<Record<string, readonly string[]>> = {
    files: FILE_COLUMNS,
    commits: COMMIT_COLUMNS,
    actions: ACTION_COLUMNS,
    partitions: PARTITION_COLUMNS,
    metadata: METADATA_COLUMNS,
    protocols: PROTOCOL_COLUMNS,
    txns: TXN_COLUMNS,
    domains: DOMAIN_COLUMNS,
  }

  it('that are missing or doubled are found in every relation', async () => {
    await using lake = await makeLake()
    const blind: string[] = []
    for (const [i, relation] of Object.keys(COLUMNS).entries()) {
      await using subject = await imported(lake.folder)
      const first = `SELECT * FROM delta_${relation} LIMIT 1`
      await subject.catalog.write((tx) => tx.script(`CREATE TABLE one AS ${first}`))
      const whole = await subject.catalog.all(`SELECT * FROM delta_${relation}`)
      const columns = COLUMNS[relation] ?? []
      const key = columns.filter((column) => ['version', 'source', 'line', 'file_no', 'partition_no'].includes(column))
      const where = (relation === 'files' ? ['file_no'] : key)
        .map((column) => `${column} = (SELECT ${column} FROM one)`)
        .join(' AND ')
      await subject.catalog.write((tx) => tx.run(`DELETE FROM delta_${relation} WHERE ${where}`))
      if ((await validated(subject)).differences === 0) blind.push(`${relation}: one gone`)
      if (!ALL && i % 2 === 1) continue
      await subject.catalog.write((tx) =>
        tx.run(`INSERT INTO delta_${relation} (${columns.join(', ')}) SELECT ${columns.join(', ')} FROM one`),
      )
      expect(new Set(await subject.catalog.all(`SELECT * FROM delta_${relation}`))).toEqual(new Set(whole))
      const moved = columns.map((column) =>
        ['line', 'file_no'].includes(column) && (column !== 'line' || relation !== 'files')
          ? `${column} + 100`
          : column,
      )
      if (relation === 'commits' || relation === 'partitions') continue
      await subject.catalog.write((tx) =>
        tx.run(`INSERT INTO delta_${relation} (${columns.join(', ')}) SELECT ${moved.join(', ')} FROM one`),
      )
      if ((await validated(subject)).differences === 0) blind.push(`${relation}: one more`)
    }
    expect(blind).toEqual([])
  })

  it('that call a commit a checkpoint are found, even if all of a relation do', async () => {
    await using lake = await makeLake()
    const blind: string[] = []
    for (const relations of [['actions'], ['protocols'], ['metadata', 'protocols', 'actions', 'txns', 'domains']]) {
      await using subject = await imported(lake.folder)
      for (const relation of relations)
        await subject.catalog.write((tx) => tx.run(`UPDATE delta_${relation} SET source = 1 WHERE version = 0`))
      if ((await validated(subject, 1)).differences === 0) blind.push(relations.join())
    }
    expect(blind).toEqual([])
  })

  it('of the import itself must show that it is complete', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    await subject.catalog.write((tx) => tx.run("UPDATE migration_status SET status = 'failed'"))
    expect(differencesOf((await validated(subject)).events)).toEqual([
      'import v3  status: log completed | catalog failed',
    ])
  })
})

describe.skipIf(!HAVE_TABLES)('second sources (../shared)', () => {
  it('are compared if they exist: checksum files, the hint, a checkpoint that was not needed', async () => {
    const result = await (async () => {
      await using subject = await imported(join(TABLES, 'kernel-rs/v1-single-part-struct-stats-only'))
      return await validated(subject, 50)
    })()
    expect(result.differences).toBe(0)
    expect(result.witnesses.some((one) => one.endsWith('.checkpoint.parquet'))).toBe(true)
    expect(result.witnesses).toContain('_last_checkpoint')
    expect(result.witnesses.some((one) => one.endsWith('.crc'))).toBe(true)
  })

  it('that disagree are reported', async () => {
    await using lake = await copied('kernel-rs/v1-single-part-struct-stats-only')
    await using subject = await imported(lake.folder)
    const { version } = await validated(subject, 50)
    const crc = join(lake.folder, name(version, 'crc'))
    await writeFile(crc, (await readFile(crc, 'utf8')).replace(/"numFiles":\d+/, '"numFiles":77'))
    const found = differencesOf((await validated(subject, 50)).events)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^checksum: number of files v\d+ {2}numFiles: log 77 \| catalog \d+$/)
    // A second source that cannot be parsed is ignored.
    await writeFile(crc, '{"numFiles":')
    await writeFile(join(lake.folder, '_delta_log/_last_checkpoint'), '')
    const broken = await validated(subject, 50)
    expect(broken.differences).toBe(0)
    expect(broken.notes.join()).toContain('_last_checkpoint is not a JSON object and was not compared')
  })

  it('that cannot be read are a difference, a base that cannot be read is an error', async () => {
    await using lake = await copied('delta-rs/simple_table_with_checkpoint')
    await using subject = await imported(lake.folder)
    await writeFile(join(lake.folder, name(10, 'checkpoint.parquet')), 'PAR1 no parquet PAR1')
    const result = await validated(subject)
    expect(result.differences).toBe(1)
    expect(differencesOf(result.events).join()).toMatch(/^checkpoint: readable v10 .*\| catalog readable$/)
    for (let v = 0; v <= 10; v++) await rm(join(lake.folder, name(v)), { force: true })
    expect(await codeOf(validated(subject))).toBe('LOG_GAP')
  })
})

describe('limits', () => {
  it('reports a thousand differences and counts them all', async () => {
    const adds = Array.from({ length: 1500 }, (_, i) => addLine(`p=a/${i}.parquet`))
    await using lake = await makeLake([...COMMITS, adds])
    await using subject = await imported(lake.folder)
    await subject.catalog.write((tx) => tx.run('UPDATE delta_files SET modification_time = modification_time + 1'))
    const result = await validated(subject, 1)
    expect(differencesOf(result.events)).toHaveLength(1000)
    expect(result.differences).toBeGreaterThan(1500)
  })

  it('ends at a stop', async () => {
    await using lake = await makeLake()
    await using subject = await imported(lake.folder)
    const interrupt = new Interrupter()
    interrupt.requestStop()
    const run = validateTable({
      catalog: subject.catalog,
      tableId: 't',
      log: subject.log,
      scratch: () => openDuckdb(':memory:', 'write'),
      samples: 1,
      checkpoints: Infinity,
      now: 0,
      random: seeded(1),
      interrupt,
      emit: () => undefined,
      table: 't',
    })
    expect(await codeOf(run)).toBe('STOPPED')
    expect(NEVER.stop.aborted).toBe(false)
  })
})
