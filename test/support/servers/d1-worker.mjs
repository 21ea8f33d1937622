/**
 * Runs inside workerd: passes statements to a real D1 database and returns the result as rows and columns. The path
 * names the binding. The `batch` of the binding would turn rows into objects, which lose columns with equal names and
 * the order of columns whose names look like numbers.
 */
export default {
  async fetch(request, env) {
    const binding = env[new URL(request.url).pathname.slice(1)]
    return binding.fetcher.fetch('http://d1/query?resultsFormat=ROWS_AND_COLUMNS', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: request.body,
    })
  },
}
