/** The package as `npm pack` makes it, unpacked outside the repository: it must be complete. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPty } from '../tui/support/pty.ts'
import { cleanEnv } from './support/program.ts'

const ROOT = join(import.meta.dirname, '../..')
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
let folder = ''
/** Folder of an installation: the package next to its dependencies. */
let home = ''
let files: readonly string[] = []
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-packed-')))
  execFileSync(process.execPath, [join(ROOT, 'scripts/make-man.mjs')])
  execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'tsconfig.types.json')])
  // Packs the files that are built for the tests: `prepack` would delete them while other tests use them.
  const reported = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [packed] = JSON.parse(reported) as readonly {
    readonly filename: string
    readonly files: readonly { readonly path: string }[]
  }[]
  if (packed === undefined) throw new Error('nothing was packed')
  files = packed.files.map(({ path }) => path)
  home = join(folder, 'lib/node_modules/sluice')
  mkdirSync(home, { recursive: true })
  execFileSync('tar', ['-xzf', join(folder, packed.filename), '-C', home, '--strip-components=1'])
  for (const name of productionPackages()) {
    mkdirSync(dirname(join(home, 'node_modules', name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(home, 'node_modules', name))
  }
  mkdirSync(join(folder, 'bin'))
  // npm does the same for the files in `bin`.
  chmodSync(join(home, 'dist/cli/bin.js'), 0o755)
  symlinkSync(join(home, 'dist/cli/bin.js'), join(folder, 'bin/sluice'))
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Production packages in `node_modules`. */
function productionPackages(): readonly string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: true }>>
  }
  return Object.entries(packages).flatMap(([at, { dev }]) => {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(at) ?? []
    return name === undefined || dev === true || !existsSync(join(ROOT, at)) ? [] : [name]
  })
}

/** Environment without npm variables, because an installed program does not run in npm. */
const withoutNpm = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(cleanEnv()).filter(([name]) => !name.startsWith('npm_')))

const sluice = (
  ...words: readonly string[]
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
  spawnSync(join(folder, 'bin/sluice'), words, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...withoutNpm(), SLUICE_PROGRAM: '', PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` },
  })

it('has the program, its documents, its lake and its manual, and no tests', () => {
  expect(files).toEqual(expect.arrayContaining(['dist/cli/bin.js', 'LICENSE', 'README.md', 'package.json']))
  expect(files.some((file) => file.startsWith('fixtures/lake/'))).toBe(true)
  expect(files.filter((file) => /^(?:test|src|scripts)\/|\.map$|tsbuildinfo/.test(file))).toEqual([])
  const { man, bin, exports, main } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
    readonly man: readonly string[]
    readonly bin: Readonly<Record<string, string>>
    readonly exports: Readonly<Record<string, string | { readonly types: string }>>
    readonly main?: string
  }
  const exported = Object.values(exports).map((one) => (typeof one === 'string' ? one : one.types))
  for (const file of [...man, ...Object.values(bin), ...exported]) expect(existsSync(join(home, file)), file).toBe(true)
  // Importing the package must not start the program.
  expect(main).toBeUndefined()
})

it.each(['node20', 'bundler'])('exports the types of events to a program, resolved as %s', (way) => {
  writeFileSync(
    join(home, '../reader.mts'),
    `import type { EventBody } from 'sluice/events'
export const status = (event: EventBody): string => (event.type === 'run.finished' ? event.status : event.type)
// @ts-expect-error there is no such event
export const wrong: EventBody['type'] = 'run.ended'
`,
  )
  const how = way === 'bundler' ? ['--module', 'esnext', '--moduleResolution', way] : ['--module', way]
  const flags = ['--noEmit', '--strict', '--target', 'es2022', '--types', '', ...how]
  const { stdout } = spawnSync(process.execPath, [TSC, ...flags, '../reader.mts'], { cwd: home, encoding: 'utf8' })
  expect(stdout).toBe('')
})

it('runs where it is installed, and prints its name as typed in the shell', () => {
  expect(sluice('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: sluice') as string })
  const lake = join(home, 'fixtures/lake')
  expect(sluice('discover', lake, '--recursive', '--ci')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('sales/orders') as string,
  })
  expect(sluice('discovr').stderr).toContain('do       sluice discover --help')
})

it('copies and proves', { timeout: 60_000 }, () => {
  const from = new Database(join(folder, 'from.db'))
  from.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, NULL)")
  from.close()
  const copy = ['copy', '--from', 'sqlite:///from.db', '--to', 'sqlite:///to.db', '--table', 't', '--ci']
  expect(sluice(...copy)).toMatchObject({ status: 0 })
  const to = new Database(join(folder, 'to.db'), { readonly: true })
  expect(to.prepare('SELECT * FROM t').raw().all()).toEqual([
    [1, 'a'],
    [2, null],
  ])
  to.close()
})

it('opens its UI', { timeout: 60_000 }, async () => {
  const env = { XDG_STATE_HOME: join(folder, 'state') }
  const app = openPty({
    script: join(home, 'dist/cli/bin.js'),
    args: ['lib/node_modules/sluice/fixtures/lake'],
    cwd: folder,
    env,
  })
  await app.until('sales/orders')
  app.type('q')
  expect(await app.ended).toMatchObject({ exitCode: 0 })
})
