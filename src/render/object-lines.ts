/** Indexes and constraints of a copy as lines: planned, left out with the reason, and created. */
import { OBJECT_WORDS } from '../model/copy/schema-object.ts'
import type { CopyPlanLine, Event } from '../model/run/event.ts'
import { errorDetails, type Block, type MakeBlock } from './block.ts'
import { cutListed } from './copy-listings.ts'
import { durationText, plural } from '../shared/figures.ts'

/** Number of names of one kind that are listed; JSON lines have all of them. */
const MOST_NAMES = 20

type ObjectEvent = Extract<Event, { type: 'index.started' | 'index.done' | 'index.failed' }>

/** @param subject the table, if several are copied */
export function plannedObjects(
  { table, objects = [] }: CopyPlanLine,
  subject: string,
  block: MakeBlock,
): readonly Block[] {
  if (objects.length === 0) return []
  const made = new Map<string, string[]>()
  for (const { kind, name, status } of objects) {
    if (status === 'build') made.set(kind, [...(made.get(kind) ?? []), cutListed(name)])
  }
  const there = objects.filter(({ status }) => status === 'there').length
  const counts = [...made].map(([kind, names]) => plural(names.length, ...(WORDS[kind] ?? [kind, kind]))).join(', ')
  const facts = [
    ...(counts === '' ? [] : [`then makes ${counts}`]),
    ...(there === 0 ? [] : [`${plural(there, ...OBJECT)} ${there === 1 ? 'is' : 'are'} there`]),
  ]
  return [
    ...(facts.length === 0 ? [] : [block('plan', subject + facts.join('; '), { table, details: namesOf(made) })]),
    ...objects.flatMap(({ name, kind, status, note }) => {
      if (note === undefined) return []
      const what = status === 'left' ? `is left out: ${note}` : note
      return [block('note', `${subject}${WORDS[kind]?.[0] ?? kind} ${cutListed(name)} ${what}`, { table })]
    }),
  ]
}

/** @param subject the table, if several are copied */
export function objectReported(event: ObjectEvent, subject: string, block: MakeBlock): readonly Block[] {
  const { table, kind, name } = event
  const what = `${subject}${WORDS[kind]?.[0] ?? kind} ${cutListed(name)}`
  switch (event.type) {
    case 'index.started':
      return [block('note', `${what} is being created`, { table })]
    case 'index.done':
      return [block('note', `${what} is made  ${durationText(event.ms)}`, { table })]
    case 'index.failed': {
      const { error } = event
      const text = `${what}  ${error.code} ${error.message}`
      return [block('FAILED', text, { table, details: errorDetails(error), code: error.code, problem: true })]
    }
  }
}

function namesOf(made: ReadonlyMap<string, readonly string[]>): Block['details'] {
  return [...made].map(([kind, names]) => {
    const shown = names.slice(0, MOST_NAMES).join(', ')
    return [
      kind,
      names.length > MOST_NAMES ? `${shown} and ${plural(names.length - MOST_NAMES, 'other')}` : shown,
    ] as const
  })
}

const OBJECT = ['index or constraint', 'indexes or constraints'] as const

/** A later version may have further kinds. */
const WORDS: Readonly<Record<string, readonly [one: string, many: string] | undefined>> = OBJECT_WORDS
