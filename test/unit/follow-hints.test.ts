/** Options that an error of following names: each is an option of the command that the hint is about. */
import { describe, expect, test } from 'vitest'
import { hintOfFollow } from '../../src/engine/follow/operations/follow/hints.ts'
import { missingTables } from '../../src/engine/follow/stream/halt.ts'
import { declarationOf } from '../../src/app/operations/facts.ts'
import { readSources } from '../arch/source-files.ts'

const FOLLOWING =
  /^(?:engine\/(?:follow\/(?!cutover|operations)|copy\/plan\/)|stores\/(?:common\/apply|[a-z]+\/follow\/(?:apply|replication|triggers))\/)/

function optionsOf(kind: 'copy' | 'follow'): ReadonlySet<string> {
  const { command } = declarationOf(kind)
  return new Set(typeof command === 'string' ? [] : command.takes?.map(({ name }) => name))
}

/** Texts in the sources that name an option, without those of `diff --run`, which has its own options. */
const TEXTS = readSources()
  .filter(({ name }) => FOLLOWING.test(name) && !name.includes('/by-hand/'))
  .flatMap(({ name, code }) =>
    [...code.matchAll(/(['`])((?:(?!\1).)*--[a-z](?:(?!\1).)*)\1/g)].map(([, , words = '']) => [name, words] as const),
  )

const SOURCE = { from: 'postgresql://a/x y' }

describe('hints of following', () => {
  test('are found', () => {
    expect(TEXTS.length).toBeGreaterThan(20)
  })

  test.each(TEXTS)('%s: %s', (_path, words) => {
    const declared = new Set([...optionsOf('copy'), ...optionsOf('follow')])
    // A hint that is about another command names that command.
    const plain = words.replaceAll(/sluice (?!copy|follow)[a-z]+[^;]*/g, '')
    const named = [...plain.matchAll(/--([a-z][a-z-]*[a-z])/g)].map(([, name = '']) => name)
    expect(named.filter((name) => !declared.has(name))).toEqual([])
    const reported = hintOfFollow(words, { ...SOURCE, tables: [] })
    const foreign = named.filter((name) => !optionsOf('follow').has(name))
    if (foreign.length > 0) expect(reported).toMatch(/sluice copy|the command that began|sluice diff/)
  })

  test('name the command that has the option', () => {
    const selected = {
      ...SOURCE,
      tables: ['shop.*', 'a b'],
      exclude: ['shop.log'],
      with: ['indexes', 'defaults'],
    } as const
    expect(hintOfFollow('add it, or choose columns with --columns or --rename; its columns are a, b', selected)).toBe(
      'add it, or choose columns with --columns or --rename; its columns are a, b; --columns, --rename are options of the command that began the ' +
        "stream: give them to sluice copy --follow --from 'postgresql://a/x y' --tables " +
        "'shop.*,a b' --exclude shop.log --with indexes,defaults, " +
        'with --restart if rows are to be written differently than before',
    )
    const foreign = 'drop it, or use --columns; --columns is an option of copy'
    expect(hintOfFollow('drop it, or use --columns', { ...selected, reverse: '7' })).toBe(
      `${foreign}, which the stream of a cutover does not take`,
    )
    expect(
      hintOfFollow('drop it, or use --columns', { ...SOURCE, tables: ['a b'], periods: { marks: [], first: 'p' } }),
    ).toBe(`${foreign}: give those that it takes to sluice partition run, which began the stream of a b`)
    const { hint: gone = '' } = missingTables('7', ['public.a'])
    expect(hintOfFollow(gone, { ...selected, reverse: '7' })).toMatch(
      /sluice follow 7 --end; no cutover leads back then$/,
    )
    for (const hint of [
      gone,
      'copy it again: sluice follow 7 --resync public.t',
      'copy all of them again: run the command that began the stream, with --restart',
      'single rows are mended by sluice diff --fix --run 7 with --key, --range or --partition',
    ])
      expect(hintOfFollow(hint, { ...SOURCE, tables: [] })).toBe(hint)
  })
})
