/** examples/{container,kubernetes,airflow}: valid commands, and an operator that decides by exit codes. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { BIN } from '../e2e/support/program.ts'

const FOLDER = resolve(import.meta.dirname, '../../examples')
const textOf = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')
const hasPython = spawnSync('python3', ['--version']).status === 0

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-elsewhere-'))))
afterAll(() => rmSync(folder, { recursive: true }))

type Manifest = {
  readonly kind: string
  readonly data?: { readonly 'sluice.yaml': string }
  readonly spec?: {
    readonly podFailurePolicy?: { readonly rules: readonly { readonly onExitCodes?: { readonly values: number[] } }[] }
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly image: string; readonly args: readonly string[] }[] }
    }
  }
}

const manifests = (): readonly Manifest[] =>
  ['job', 'worker'].flatMap((name) =>
    parseAllDocuments(textOf(`kubernetes/${name}.yaml`)).map((one) => one.toJS() as Manifest),
  )

describe('kubernetes', () => {
  test('runs existing commands with the configuration of the example', async () => {
    const all = manifests()
    const config = join(folder, 'kubernetes.yaml')
    writeFileSync(config, all.find(({ kind }) => kind === 'ConfigMap')?.data?.['sluice.yaml'] ?? '')
    const env = {
      SHOP_URL: 'postgresql://app@shop/shop',
      ARCHIVE_URL: 'postgresql://app@archive/archive',
      QUEUE_URL: 'postgresql://app@queue/queue',
    }
    const commands = all.flatMap(({ spec }) => spec?.template.spec.containers ?? [])
    expect(commands.map(({ args }) => args[0])).toEqual(['copy', 'worker'])
    for (const { args } of commands) {
      const words = args.map((word) => (word === '/etc/sluice/sluice.yaml' ? config : word))
      const { request } = await parseCommandLine(words, env)
      expect(request.kind, JSON.stringify(request)).not.toBe('help')
      expect(JSON.stringify(request)).toContain(args[0] === 'copy' ? env.SHOP_URL : env.QUEUE_URL)
    }
  })

  test('fails a job at once for the exit codes that the Airflow operator treats as final', () => {
    const codes = manifests().flatMap(
      ({ spec }) => spec?.podFailurePolicy?.rules.flatMap((rule) => rule.onExitCodes?.values ?? []) ?? [],
    )
    const [, final = ''] = /^FINAL = \{([^}]*)\}$/m.exec(textOf('airflow/sluice_operator.py')) ?? []
    expect(final.split(', ').map(Number)).toEqual(codes)
  })
})

test('the image runs without root, with sluice as entry point, and its smoke test is a valid script', () => {
  const image = textOf('container/Dockerfile')
  expect(image).toMatch(/^USER node$/m)
  expect(image).toMatch(/^ENTRYPOINT \["sluice"\]$/m)
  expect(spawnSync('sh', ['-n', join(FOLDER, 'container/smoke.sh')]).status).toBe(0)
})

describe.skipIf(!hasPython)(`airflow${hasPython ? '' : ' (skipped: python3 is not installed)'}`, () => {
  /** Result of a task with these arguments: its totals, or the class and text of its exception. */
  function task(words: readonly string[]): string {
    const airflow = join(folder, 'airflow')
    mkdirSync(airflow, { recursive: true })
    writeFileSync(join(airflow, '__init__.py'), '')
    writeFileSync(
      join(airflow, 'exceptions.py'),
      'class AirflowException(Exception): pass\nclass AirflowFailException(AirflowException): pass\n',
    )
    writeFileSync(
      join(airflow, 'models.py'),
      'import logging\nclass BaseOperator:\n  log = logging.getLogger("task")\n  def __init__(self, task_id): self.task_id = task_id\n',
    )
    const program = join(folder, 'sluice')
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`)
    chmodSync(program, 0o755)
    const script = `
import json, sys
sys.dont_write_bytecode = True
sys.path[:0] = [${JSON.stringify(folder)}, ${JSON.stringify(join(FOLDER, 'airflow'))}]
from sluice_operator import SluiceOperator
try:
    print(json.dumps(SluiceOperator(task_id="t", words=${JSON.stringify(words)}, program=${JSON.stringify(program)}).execute({})))
except Exception as error:
    print(type(error).__name__, error)
`
    const { stdout, stderr } = spawnSync('python3', ['-c', script], {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, HOME: folder, XDG_STATE_HOME: folder },
    })
    expect(stderr).toBe('')
    return stdout.trim()
  }

  test('returns the totals of a copy, and fails without retry if a retry cannot help', { timeout: 60_000 }, () => {
    const rows = `${folder}/rows.db`
    const made = spawnSync(
      'python3',
      [
        '-c',
        `import sqlite3; c = sqlite3.connect(${JSON.stringify(rows)}); c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)"); c.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(10)]); c.commit()`,
      ],
      { encoding: 'utf8' },
    )
    expect(made.stderr).toBe('')
    const copy = ['copy', '--from', `sqlite:///${rows}`, '--to', `sqlite:///${folder}/copy.db`, '--table', 't']
    expect(JSON.parse(task(copy))).toMatchObject({ read: '10', written: '10' })
    expect(task(['copy', '--from', `sqlite:///${rows}`, '--unknown-flag'])).toMatch(
      /^AirflowFailException .* 2: BAD_FLAG/,
    )
    const unreachable = copy.with(2, 'postgresql://x@127.0.0.1:1/x')
    expect(task(unreachable)).toMatch(/^AirflowException .* 3: /)
  })
})
