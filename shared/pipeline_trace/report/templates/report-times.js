// Times: in the reader's time zone; the title has UTC. The pages of `serve` have this script too.

// Date -> 2025-03-05 16:30:09 +01:00, with the reader's difference to UTC at that time.
function localTime(date, millis = false) {
  if (Number.isNaN(date.getTime())) return "unknown";
  const zone = -date.getTimezoneOffset();
  if (!zone) return utcTime(date, millis);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const shifted = dateAndTime(new Date(date.getTime() + zone * 60000), millis);
  return `${shifted} ${zone < 0 ? "\u2212" : "+"}${two(Math.abs(zone) / 60)}:${two(Math.abs(zone) % 60)}`;
}

function utcTime(date, millis = false) {
  return Number.isNaN(date.getTime()) ? "unknown" : `${dateAndTime(date, millis)} UTC`;
}

function dateAndTime(date, millis) {
  return date.toISOString().replace("T", " ").replace(millis ? "Z" : /\.\d+Z$/, "");
}

// The server writes times in UTC, for readers without JavaScript.
function showLocalTimes(root = document) {
  for (const time of root.querySelectorAll("time")) time.textContent = localTime(new Date(time.dateTime));
}
