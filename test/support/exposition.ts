/**
 * A strict reader of the Prometheus text format 0.0.4, by its specification: it throws on anything the specification
 * does not allow. It shares no code with the writer.
 */

export type Read = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }
export type Family = { readonly type: string; readonly help: string; readonly samples: readonly Read[] }

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
}

/** @throws Error that names the line */
export function readExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, { type: string; help: string; samples: Read[] }>()
  const seen = new Set<string>()
  let current: { readonly name: string; readonly family: { type: string; help: string; samples: Read[] } } | null = null
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): Error => new Error(`${why}: ${JSON.stringify(line)}`)
    if (line === '') continue
    const help = new RegExp(`^# HELP (${NAME}) (.*)$`, 'su').exec(line)
    if (help !== null) {
      const [, name = '', said = ''] = help
      if (families.has(name)) throw fail('a family comes twice')
      current = { name, family: { type: '', help: unescaped(said, false), samples: [] } }
      families.set(name, current.family)
      continue
    }
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`, 'u').exec(line)
    if (type !== null) {
      if (current === null || current.name !== type[1] || current.family.type !== '')
        throw fail('a type without its help')
      current.family.type = type[2] ?? ''
      continue
    }
    if (line.startsWith('#')) throw fail('no line of this kind is written')
    const sample = sampleOf(line)
    if (sample === null) throw fail('no sample')
    const suffixes = SUFFIXES[current?.family.type ?? ''] ?? ['']
    if (current === null || !suffixes.some((one) => sample.name === `${current?.name}${one}`))
      throw fail('a sample among those of another family')
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted()])
    if (seen.has(key)) throw fail('a sample comes twice')
    seen.add(key)
    if (current.family.type === 'counter' && !(sample.value >= 0)) throw fail('a counter below 0')
    current.family.samples.push(sample)
  }
  return families
}

/** Values of a metric by one label, optionally only those with matching labels. */
export function valuesOf(
  families: ReadonlyMap<string, Family>,
  metric: string,
  by: string,
): Readonly<Record<string, number>> {
  const values: Record<string, number> = {}
  for (const { labels, value } of families.get(metric)?.samples ?? []) {
    const key = labels[by] ?? ''
    values[key] = (values[key] ?? 0) + value
  }
  return values
}

function sampleOf(line: string): Read | null {
  const head = new RegExp(`^${NAME}`, 'u').exec(line)
  if (head === null) return null
  const [name] = head
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') {
    at += 1
    while (line[at] !== '}') {
      const label = /^([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|(?=\}))/su.exec(line.slice(at))
      if (label === null || label[1] === undefined || label[1] in labels) return null
      labels[label[1]] = unescaped(label[2] ?? '', true)
      at += label[0].length
    }
    at += 1
  }
  // Go's ParseFloat ignores the case of NaN.
  const value = /^ ([Nn]a[Nn]|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/u.exec(line.slice(at))
  if (value === null) return null
  return { name, labels, value: Number((value[1] ?? '').replace('Inf', 'Infinity').replace('Nan', 'NaN')) }
}

function unescaped(text: string, quotes: boolean): string {
  return text.replaceAll(/\\(.?)/gsu, (_, sign: string) => {
    if (sign === 'n') return '\n'
    if (sign === '\\' || (quotes && sign === '"')) return sign
    throw new Error(`no such escape: \\${sign}`)
  })
}
