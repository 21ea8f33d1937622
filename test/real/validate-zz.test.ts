import { it } from 'vitest'
import { imported, seeded } from './validate-setup.ts'
import { validateTable } from '../../src/catalog/validate/index.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'
import { NEVER } from '../../src/shared/abort.ts'
it('t', async () => {
  const { makeLake } = await import('./validate-lake.ts'); await using lake = await makeLake(); await using s = await imported(lake.folder)
  const t0 = performance.now()
  const acc = new Map<string, number>()
  const note = (k: string, ms: number) => acc.set(k, (acc.get(k) ?? 0) + ms)
  const wrap = async () => {
    const d = await openDuckdb(':memory:', 'write')
    const timed = <T>(k: string, f: () => Promise<T>) => { const t = performance.now(); return f().finally(() => note(k.slice(0, 90).replace(/\s+/g, ' '), performance.now() - t)) }
    return { ...d, dialect: d.dialect, label: d.label, now: () => d.now(), close: () => d.close(), [Symbol.asyncDispose]: () => d.close(),
      all: (q: string, p?: any) => timed(q, () => d.all(q, p)), pages: (q: string, p: any, n: number) => d.pages(q, p, n), read: (b: any) => d.read(b),
      write: (b: any) => d.write((tx) => b({ ...tx, run: (q: string, p?: any) => timed(q, () => tx.run(q, p)), load: (q: string, c: any, r: any) => timed('load ' + q, () => tx.load(q, c, r)), all: (q: string, p?: any) => timed(q, () => tx.all(q, p)) })) } as any
  }
  await validateTable({ catalog: s.catalog, tableId: 't', log: s.log, scratch: wrap, samples: 3, random: seeded(1), interrupt: NEVER, emit: (e) => { if (e.type === 'verify.check') console.log((performance.now() - t0).toFixed(0), e.check, e.version) }, table: 't' })
  console.log('total', performance.now() - t0)
  for (const [k, v] of [...acc].sort((a, b) => b[1] - a[1]).slice(0, 25)) console.log(v.toFixed(0), k)
}, 100000)
