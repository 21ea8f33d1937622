/** Rows that DuckDB spills to disk are readable by this user only, whatever the umask, and are deleted. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { expect, test } from 'vitest'

const SPILLS = `
import { readdirSync, statSync } from 'node:fs'
const { SharedDuckDb } = await import(process.argv[1])
const db = new SharedDuckDb({ threads: 1, memoryLimit: '40MB' })
const connection = await db.connect()
await connection.run("CREATE TEMP TABLE t AS SELECT range AS i, repeat('x', 200) || range AS v FROM range(600000)")
const mine = readdirSync(process.env.TMPDIR).filter((name) => name.startsWith('sluice-duckdb-'))
const [name] = mine
const folder = process.env.TMPDIR + '/' + name
console.log(JSON.stringify({ folders: mine.length, mode: (statSync(folder).mode & 0o777).toString(8), files: readdirSync(folder).length > 0 }))
`

test('a spill folder has mode 700, and is deleted when its program ends', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-spill-'))
  try {
    const instance = join(import.meta.dirname, '../../build/stores/duckdb/instance.js')
    const shell = 'umask 0; exec "$0" --input-type=module -e "$1" "$2"'
    const out = execFileSync('sh', ['-c', shell, process.execPath, SPILLS, instance], {
      env: { ...process.env, TMPDIR: folder },
      encoding: 'utf8',
    })
    expect(JSON.parse(out)).toEqual({ folders: 1, mode: '700', files: true })
    expect(readdirSync(folder)).toEqual([])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
