/**
 * The answer of `--metrics`, parsed by the Prometheus client library: everything is valid, well named, and labels are
 * read back unchanged.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { METRICS, type MetricName } from '../../src/app/metrics/declared.ts'
import { registryOf } from '../../src/app/metrics/open-metrics.ts'
import type { MetricSample } from '../../src/app/metrics/series.ts'
import { MetricsServer } from '../../src/app/metrics/server.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { headless } from '../e2e/support/program.ts'
import { placeOn } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { MetricsJudge, PROMETHEUS_MISSING, type JudgedFamily } from './judge.ts'

const NAMES = Object.keys(METRICS) as MetricName[]

/** Hostile names of tables. */
const HOSTILE = [
  'or"de\\rs\n\u001B[31m',
  'ends in \\',
  '\\n is no newline, "{a="b"}',
  '# HELP x y\n# TYPE x counter\nx 1',
  'späße 💾 表\u2028\u0085\u00A0',
  ' tab\tand\rreturn ',
  "'; DROP TABLE x; -- ,}{=",
]

let judge: MetricsJudge
beforeAll(async () => {
  if (PROMETHEUS_MISSING === '') judge = await MetricsJudge.start()
}, 60_000)
afterAll(async () => {
  await judge?.[Symbol.asyncDispose]()
})

/** Checks that hold for all metrics. */
function expectWellNamed(families: readonly JudgedFamily[]): void {
  const names = families.map(({ name }) => name)
  expect(new Set(names).size, 'a family comes twice').toBe(names.length)
  const reported = new Map(families.map((family) => [family.name, family]))
  for (const name of NAMES) {
    const { kind, help } = METRICS[name]
    expect(reported.get(name.replace(/_total$/, '')), name).toMatchObject({ type: kind, help })
  }
  for (const { name, type, help, samples } of families) {
    expect(type, name).toMatch(/^(?:counter|gauge|histogram|summary)$/)
    expect(help, name).not.toBe('')
    if (type === 'counter') for (const [sample] of samples) expect(sample).toBe(`${name}_total`)
    const keys = samples.map(([sample, labels]) => keyOf(sample, labels))
    expect(new Set(keys).size, `${name}: a sample comes twice`).toBe(keys.length)
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])
}

/** Values of all counters. */
function countersOf(families: readonly JudgedFamily[]): ReadonlyMap<string, number> {
  const all = families.filter(({ type }) => type === 'counter').flatMap(({ samples }) => samples)
  return new Map(all.map(([name, labels, value]) => [keyOf(name, labels), Number(value)]))
}

describe.skipIf(PROMETHEUS_MISSING !== '')(`prometheus_client reads ${PROMETHEUS_MISSING}`, () => {
  test('every metric with any label and any value, unchanged', { timeout: 60_000 }, async () => {
    let now: ReadonlyMap<MetricName, readonly MetricSample[]> = new Map()
    const registry = registryOf((metric) => now.get(metric) ?? [])
    await using server = await MetricsServer.open({ host: null, port: 0 }, registry)
    const text = fc.oneof(
      fc.constantFrom(...HOSTILE),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({
        unit: fc.constantFrom('\\', '"', '\n', '\r', '{', '}', ',', '=', '#', ' ', 'n', 'é', '\0'),
        maxLength: 12,
      }),
    )
    const value = fc.oneof(
      fc.nat(),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
      fc.constantFrom(0, 2 ** 53, 1e300, 5e-324),
    )
    const samplesOf = (metric: MetricName): fc.Arbitrary<readonly MetricSample[]> =>
      fc.uniqueArray(
        fc.record({
          labels: fc.record(Object.fromEntries(METRICS[metric].labels.map((label) => [label, text]))),
          value,
        }),
        { maxLength: METRICS[metric].labels.length === 0 ? 1 : 4, selector: ({ labels }) => keyOf('', labels) },
      )
    const all = fc.tuple(...NAMES.map((name) => samplesOf(name).map((samples) => [name, samples] as const)))
    await fc.assert(
      fc.asyncProperty(all, async (reported) => {
        now = new Map(reported)
        const families = await judge.scrape(server.url)
        expectWellNamed(families)
        const read = new Map(
          families.flatMap(({ samples }) => samples).map(([name, labels, is]) => [keyOf(name, labels), Number(is)]),
        )
        for (const [name, samples] of reported)
          for (const sample of samples) expect(read.get(keyOf(name, sample.labels)), name).toBe(sample.value)
      }),
      { numRuns: 25 },
    )
  })

  test.skipIf(!POSTGRES_OWN)(
    `a copy that follows tables with any name, from its first rows on: no counter decreases ${POSTGRES_MISSING}`,
    { timeout: 120_000 },
    async () => {
      using folder = temporaryFolder()
      await using server = await startFollowServer()
      const source = await placeOn('postgresql', server.url())
      const target = await placeOn('postgresql', server.url())
      const quoted = HOSTILE.map((name) => `"${name.replaceAll('"', '""')}"`)
      const create = quoted.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, v text)`)
      await target.sql(...create)
      await source.sql(
        ...create,
        ...quoted.map((name) => `INSERT INTO ${name} SELECT i, 'v' || i FROM generate_series(1, 300) i`),
      )
      const ends = ['--from', source.url, '--to', target.url, '--table', 'public.*', '--checkpoint-size', '100']
      const program = headless(folder.path, [
        'copy',
        ...ends,
        '--follow',
        '--json',
        '--metrics',
        '0',
        '--alert',
        'lag>1h,failed',
      ])
      const urlIn = (): string | undefined =>
        program
          .events()
          .flatMap((event) => (event.type === 'log' ? (/^metrics (http\S+)$/.exec(event.message)?.[1] ?? []) : []))[0]
      await program.until(() => urlIn() !== undefined)
      const url = urlIn() ?? ''
      let before = countersOf(await judge.scrape(url))
      const look = async (): Promise<readonly JudgedFamily[]> => {
        const families = await judge.scrape(url)
        expectWellNamed(families)
        const counters = countersOf(families)
        for (const [key, value] of before) expect(counters.get(key), `${key} has fallen`).toBeGreaterThanOrEqual(value)
        before = counters
        return families
      }
      const live = (): number =>
        new Set(
          program
            .events()
            .flatMap((event) => (event.type === 'follow.counted' && event.state === 'live' ? [event.table] : [])),
        ).size
      const chunks = (): number => program.events().filter(({ type }) => type === 'chunk.done').length
      for (const least of [1, 8, 15]) {
        await program.until(() => chunks() >= least)
        await look()
      }
      await program.until(() => live() === HOSTILE.length)
      await look()
      const inserts = (): number =>
        program
          .events()
          .filter((event) => event.type === 'follow.counted')
          .filter((event) => event.inserts === '2').length
      await source.sql(
        ...quoted.map((name) => `INSERT INTO ${name} VALUES (-1, 'x'), (-2, 'y')`),
        `DELETE FROM ${quoted[0] ?? ''} WHERE id = -1`,
      )
      await program.until(() => inserts() >= HOSTILE.length)
      const families = await look()
      const tablesOf = (metric: MetricName): readonly string[] => [
        ...new Set(
          families
            .flatMap(({ samples }) => samples)
            .flatMap(([name, { table }]) => (name === metric && table !== undefined ? [table] : [])),
        ),
      ]
      const named = HOSTILE.map((name) => `public.${name}`).toSorted()
      expect(tablesOf('sluice_copy_rows_total').toSorted()).toEqual(named)
      expect(tablesOf('sluice_follow_changes_total').toSorted()).toEqual(named)
      program.child.kill('SIGINT')
      expect(await program.ended).toMatchObject({ code: 130 })
    },
  )
})
