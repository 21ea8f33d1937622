/**
 * PostgreSQL statements qualify functions with their schema, so that a function of another role with the same name is
 * never called.
 */
import { expect, test } from 'vitest'
import { UNQUALIFIED } from '../../src/stores/postgresql/server/planted.ts'
import { readSources } from './source-files.ts'

/**
 * Sessions of the queue and trigger functions have only pg_catalog in their search_path. Migrations of a catalog run
 * once.
 */
const OWN_PATH =
  /^stores\/postgresql\/(?:queue\/|follow\/switch\/(?:barrier|guard)|follow\/triggers\/(?:log|round)|partition\/maintenance\/key-log)/

/**
 * Names of functions in SQL, none of which the program defines. `unnest` of several arrays is grammar and cannot be
 * qualified.
 */
const OF_SQL =
  `array_agg bool_and bool_or cardinality concat_ws current_setting floor hashtextextended json_agg json_build_object jsonb_agg md5 octet_length
  quote_ident regexp_match regexp_replace rtrim set_config split_part string_agg substr to_char to_jsonb to_regclass trim_scale width_bucket`.split(
    /\s+/,
  )

test('functions in PostgreSQL statements are qualified with their schema', () => {
  const bare = new RegExp(`(?<![\\w.$#])(?:${OF_SQL.join('|')})\\(`, 'g')
  const found = readSources()
    .filter(({ name }) => name.startsWith('stores/postgresql/') && !OWN_PATH.test(name))
    .flatMap(({ name, code }) => [...code.matchAll(bare)].map(([call]) => `${name}: ${call}`))
  expect(found).toEqual([])
})

test('aggregates in statements for all systems are among those that are checked', () => {
  const call = /(?<![\w.$#])([a-z_]+)\(/g
  const names = readSources()
    .filter(({ name }) =>
      /^(?:catalog\/(?:import|query|ranges)|engine\/copy\/ledger|archive\/ledger|stores\/common\/lease)/.test(name),
    )
    .flatMap(({ code }) =>
      [...code.matchAll(/`[^`]*`/g)].flatMap(([text]) => [...text.matchAll(call)].map(([, name]) => name ?? '')),
    )
  expect(names.filter((name) => AGGREGATES.has(name) && !UNQUALIFIED.includes(name))).toEqual([])
  expect(names.some((name) => AGGREGATES.has(name))).toBe(true)
})

test('rows are counted with count(*), because another role may have defined count() for an argument type', () => {
  const texts = /(["'`])((?:(?!\1)[^])*\bSELECT\b(?:(?!\1)[^])*)\1/g
  const found = readSources()
    .filter(({ name }) =>
      /^(?:catalog\/(?:import|query|ranges)|engine|archive|partition|stores\/common\/lease)/.test(name),
    )
    .flatMap(({ name, code }) =>
      [...code.matchAll(texts)].flatMap(([text]) =>
        [...text.matchAll(/(?<![\w.${])count\((?!\*)[^)]*\)/gi)].map(([call]) => `${name}: ${call}`),
      ),
    )
  expect(found).toEqual([])
})

const AGGREGATES: ReadonlySet<string> = new Set(
  'array_agg count lag lead length lower max min row_number string_agg substr sum upper'.split(' '),
)
