// The list: times in the reader's zone, also those that the form asks for. The addresses have UTC.

const timeFields = document.querySelectorAll("input[type=datetime-local]");

// 2025-03-05T16:30 of the reader's zone -> the same in UTC.
function toUtc(text) {
  return new Date(text).toISOString().slice(0, text.length);
}

function toLocal(text) {
  const date = new Date(`${text}Z`);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, text.length);
}

for (const field of timeFields) {
  if (field.defaultValue) field.value = toLocal(field.defaultValue);
  field.form.addEventListener("formdata", (event) => {
    if (field.value) event.formData.set(field.name, toUtc(field.value));
  });
}
for (const zone of document.querySelectorAll(".utc")) zone.remove();

// "Today" is the reader's, also where somebody else made the address.
const zoneMinutes = -new Date().getTimezoneOffset();
for (const field of document.querySelectorAll("input[name=zone]")) field.value = zoneMinutes || "";
for (const link of document.querySelectorAll(":is(.quick, th) a[href*='when=']")) {
  const address = new URL(link.href);
  if (zoneMinutes) address.searchParams.set("zone", zoneMinutes);
  else address.searchParams.delete("zone");
  link.href = address.href;
}
showLocalTimes();
