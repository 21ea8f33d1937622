/** Pages of `sluice help TOPIC`: text that would otherwise be repeated on the pages of many commands. */
import { commandNameOf, declarationOf } from '../../app/operations/facts.ts'
import { OPERATIONS, type OperationKind } from '../../app/operations/list.ts'
import { alertOptions } from '../../engine/run/operations/alert-options.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { ALERT_CAUSES, CAUSE_FORMS, type AlertCause } from '../../model/run/alert.ts'
import { COMMANDS } from '../parse/command-list.ts'

type Topic = {
  readonly name: string
  readonly isOf: (command: CommandDeclaration) => boolean
  readonly page: () => readonly string[]
}

const TOPICS: readonly Topic[] = [
  { name: 'alerts', isOf: ({ takes }) => takes.some(({ name }) => name === 'alert'), page: alerts },
  { name: 'background', isOf: ({ name }) => canRunInBackground(name), page: background },
]

/** Topics that a command refers to. */
export function topicsOf(command: CommandDeclaration): readonly string[] {
  return TOPICS.filter(({ isOf }) => isOf(command)).map(({ name }) => name)
}

/** The page of a topic; null if there is no such topic. */
export function topicPage(word: string): string | null {
  const topic = TOPICS.find(({ name }) => name === word.toLowerCase())
  return topic === undefined ? null : `${topic.page().join('\n')}\n`
}

function alerts(): readonly string[] {
  const options = alertOptions('failed,stuck>10m for example')
  const flags = options.map(({ name, type }) => `--${name}${type === 'flag' ? '' : ' TEXT'}`)
  return [
    'Alerts: a run reports what needs a person.',
    '',
    'Options:',
    ...options.flatMap(({ describe }, at) => entry(flags[at] ?? '', describe, 23)),
    '',
    'An alert is reported when its cause begins and when its cause ends. An alert',
    'that outlasts a run is not reported again by the next run.',
    '$SLUICE_ALERT_WEBHOOK is a URL that gets each alert as JSON. The command of',
    '--alert-command has SLUICE_ALERT_CAUSE, _STATE, _TABLE, _VALUE, _LIMIT, _RUN and',
    '_ABOUT in its environment.',
    '',
    'Causes, and the commands that report them:',
    ...ALERT_CAUSES.flatMap((cause) => {
      const { form, means } = CAUSE_FORMS[cause]
      return entry(form, `${means}: ${commandsThatReport(cause).join(', ')}`, 14)
    }),
    '',
    'docs/guides/alerts.md says when each cause begins and ends.',
  ]
}

function background(): readonly string[] {
  return [
    '--background starts a run that continues when the terminal closes.',
    '',
    '  sluice import sales/orders --database-url sqlite:///lake.db --background',
    '  sluice attach         watches the run; q leaves it, and it continues',
    '  sluice ctl RUN stop   stops the run after its running chunks',
    '  sluice runs --here    lists the runs of this machine',
    '',
    'Commands with --background:',
    ...entry(
      '',
      COMMANDS.filter(({ name }) => canRunInBackground(name))
        .map(({ name }) => name)
        .join(', '),
      0,
    ),
  ]
}

/** Commands that report the cause; one phrase if all commands with --alert do. */
function commandsThatReport(cause: AlertCause): readonly string[] {
  const kinds = (Object.keys(OPERATIONS) as OperationKind[]).filter((kind) => declarationOf(kind).alerts !== undefined)
  const able = kinds.filter((kind) => declarationOf(kind).alerts?.causes.includes(cause))
  return able.length === kinds.length ? ['all that take --alert'] : [...new Set(able.map(commandNameOf))]
}

/** True if runs of a command can continue in the background. */
function canRunInBackground(command: string): boolean {
  return (Object.keys(OPERATIONS) as OperationKind[]).some((kind) => {
    const { display } = declarationOf(kind)
    return commandNameOf(kind) === command && (display === 'long' || display === 'lines')
  })
}

const WIDTH = 80

/** Lines of a page: a word, and its meaning, which begins at `column`. */
function entry(word: string, meaning: string, column: number): readonly string[] {
  const rows: string[] = []
  const indent = ' '.repeat(column + 2)
  let row = `  ${word.padEnd(column)}`
  for (const part of meaning.split(' ')) {
    const isFirst = row.trim() === '' || row.length === column + 2
    if (!isFirst && row.length + 1 + part.length > WIDTH) {
      rows.push(row)
      row = indent + part
    } else row += isFirst ? part : ` ${part}`
  }
  return [...rows, row]
}
