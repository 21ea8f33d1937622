/** Every operation that writes can alert on failure, or is listed here with the reason why it need not. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  actionsOf,
  commandNameOf,
  declarationOf,
  declaringOperation,
  optionNamesOf,
} from '../../src/app/operations/facts.ts'
import { OPERATIONS, type OperationKind } from '../../src/app/operations/list.ts'
import { ALERT_FLAGS } from '../../src/engine/run/operations/words.ts'
import { ROOT } from './source-files.ts'

const KINDS = Object.keys(OPERATIONS) as OperationKind[]

/** Operations that write, and have no `--alert` on purpose. */
const LEFT_OUT: Readonly<Partial<Record<OperationKind, string>>> = {
  'diff-undo': 'somebody names the run whose mending he takes back, and reads the answer',
  'diff-followed': 'somebody names rows of a stream, and reads the answer',
  slots: 'it lists; with --drop somebody names one slot twice',
  grants: 'somebody gives a role its rights once, and sees the statements',
  'queue-grants': 'somebody gives a role its rights once, and sees the statements',
  'schedule-add': 'somebody at a terminal confirms what is to run; the runs themselves tell',
  'schedule-change': 'somebody names a schedule, and reads what became of it',
  worker: 'it has no end of its own: the runs of its slots tell, each by its own options',
}

const writes = (kind: OperationKind): boolean => declarationOf(kind).stores.some(({ access }) => access === 'write')

/** The commands that start it, each with the options that it takes. */
function waysOf(kind: OperationKind): readonly (readonly [name: string, takes: ReadonlySet<string>])[] {
  const command = commandNameOf(kind)
  const actions = [...new Set(KINDS.map(commandNameOf))]
    .flatMap((name) => actionsOf(name).map((action) => [`${name} ${action.name}`, action] as const))
    .filter(([, action]) => action.kind === kind)
  return actions.length === 0
    ? [[command, new Set(takesOf(command))]]
    : actions.map(([name, action]) => [name, optionNamesOf(action)])
}

function takesOf(command: string): readonly string[] {
  const owner = declaringOperation(command).command
  return typeof owner === 'string' ? [] : owner.takes.map(({ name }) => name)
}

describe('an operation that writes', () => {
  test('can alert on failure, or is listed here with a reason', () => {
    const silent = KINDS.filter(
      (kind) => writes(kind) && !(declarationOf(kind).alerts?.causes.includes('failed') ?? false),
    )
    expect(silent.toSorted()).toEqual(Object.keys(LEFT_OUT).toSorted())
  })

  test.each(KINDS.filter((kind) => declarationOf(kind).alerts !== undefined))('%s takes the alert options', (kind) => {
    const ways = waysOf(kind)
    const asked = ways.filter(([, takes]) => ALERT_FLAGS.every((flag) => takes.has(flag)))
    // A command that only plans has a user who reads its result.
    const without = ways.filter((way) => !asked.includes(way)).map(([name]) => name)
    expect(without.filter((name) => !name.endsWith(' plan'))).toEqual([])
    expect(asked.length).toBeGreaterThan(0)
    for (const [name] of asked)
      expect(takesOf(name.split(' ')[0] ?? '')).toEqual(expect.arrayContaining([...ALERT_FLAGS]))
  })

  test('is named in docs/guides/alerts.md if it can alert', () => {
    const page = readFileSync(path.join(ROOT, 'docs/guides/alerts.md'), 'utf8')
    const named = KINDS.filter((kind) => declarationOf(kind).alerts !== undefined)
      .flatMap(waysOf)
      .filter(([, takes]) => takes.has('alert'))
      .map(([name]) => name)
    expect(named.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })
})
