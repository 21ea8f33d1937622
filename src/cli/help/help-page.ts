/** Help pages: the page of a command, from the output of yargs, and pages that need no yargs. */
import { existsSync } from 'node:fs'
import { ACTION_SUMMARIES } from '../../app/operations/action-pages.ts'
import { actionsOf } from '../../app/operations/facts.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { examplesText } from './examples.ts'
import { topHelp } from './help.ts'
import { toolVersion } from '../version.ts'
import { hiddenOptions } from '../parse/option-flags.ts'
import { otherWord } from './other-words.ts'
import { topicPage, topicsOf } from './topics.ts'

/** Number of examples on a page that leaves options out. */
const MAX_EXAMPLES = 4

/**
 * The page of a command: the page of yargs, then the actions, examples in shell syntax, and further pages.
 * @param all true if the page has every option
 */
export function commandPage(page: string, command: CommandDeclaration, all: boolean): string {
  const { name } = command
  const topics = topicsOf(command).map((topic) => `sluice help ${topic}`)
  const later = all ? 0 : hiddenOptions(command).length
  const parts = [
    page.trimEnd(),
    actionsText(name),
    examplesText(name, all ? Infinity : MAX_EXAMPLES).trimEnd(),
    [
      `More: ${[...topics, 'sluice --help'].join(', ')}`,
      ...(later === 0 ? [] : [`\`sluice ${name} --help=all\` shows the other ${later} options.`]),
    ].join('\n'),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/**
 * Page of the program, of a topic, or of a word of another tool (`other-words`). With JSON, also the page of a command.
 * @returns null if yargs prints the page, or the word is unknown
 */
export async function pageWithoutYargs(
  word: string | null,
  command: CommandDeclaration | null,
  json: boolean,
): Promise<string | null> {
  if (command !== null) return json ? await helpJson(command) : null
  const other = word === null ? null : (topicPage(word) ?? otherWord(word))
  if (other !== null) return other.endsWith('\n') ? other : `${word}: ${other}\n`
  if (word !== null && !word.includes('://') && !existsSync(word)) return null
  return json ? await helpJson(null) : topHelp(toolVersion())
}

async function helpJson(command: CommandDeclaration | null): Promise<string> {
  const { commandLineDocument } = await import('./help-json.ts')
  return `${JSON.stringify(commandLineDocument(command, toolVersion()), null, 2)}\n`
}

function actionsText(command: string): string {
  const names = [...new Set(actionsOf(command).map(({ name }) => name))]
  if (names.length === 0) return ''
  const width = Math.max(...names.map((name) => name.length))
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${ACTION_SUMMARIES[`${command} ${name}`] ?? ''}`)
  return ['Actions:', ...lines.map((line) => line.trimEnd())].join('\n')
}
