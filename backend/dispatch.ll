; The part of an object that is the same for every model: how NAME_run shares the kernels out.
;
;   NAME_run              a batch, NAME_run_images any number of images:
;   NAME__run             checks, chooses the strongest target that the processor has
;   NAME__images_TARGET   all images, as many at a time as there is code for
;   NAME__plan_N_TARGET   the kernels for N images in order, one call of NAME__launch each
;   NAME__launch          serially or as tasks on the caller's threads; the clock before and after
;   NAME__task            iterations of a kernel as long as there are some to take, with scratch of its own
;   NAME__iterate         some iterations of a kernel, one after the other: to nearest, without exceptions, subnormal numbers are
;                         zeros; the thread's own MXCSR is back afterwards, so that hooks and clocks run with that
;
; dispatch.c writes the sections in this order and fills ${HOLES} by their names: the model's name and numbers, and the
; offsets of fields (job is its struct job, exec and profile are those of san/abi.h). Comments are left out.
;
; A kernel's iterations are cut into as many ranges as it has tasks. A task takes quarters of what is left of its own range, then
; of the others': pieces that get smaller, so that a slower thread is waited for shortly at the end, and neighbouring iterations
; that mostly stay on one core. `taken` says where each range goes on. Whoever runs the tasks orders them before the caller's
; next kernel.
;; section iterate
define internal void @${model}__iterate(ptr %job, i64 %worker, i64 %begin, i64 %end) #0 {
  %kernel = load ptr, ptr %job
  %input.at = getelementptr i8, ptr %job, i64 ${job.input}
  %input = load ptr, ptr %input.at
  %output.at = getelementptr i8, ptr %job, i64 ${job.output}
  %output = load ptr, ptr %output.at
  %workspace.at = getelementptr i8, ptr %job, i64 ${job.workspace}
  %workspace = load ptr, ptr %workspace.at
  %scratch.at = getelementptr i8, ptr %job, i64 ${job.scratch}
  %scratches = load ptr, ptr %scratch.at
  %scratch.bytes.at = getelementptr i8, ptr %job, i64 ${job.scratch_bytes}
  %scratch.bytes = load i64, ptr %scratch.bytes.at
  %scratch.offset = mul i64 %worker, %scratch.bytes
  %scratch = getelementptr i8, ptr %scratches, i64 %scratch.offset
  %callers = alloca i32, align 4
  %ours = alloca i32, align 4
  store i32 ${mxcsr}, ptr %ours
;; section iterate_weights
  %weights.at = getelementptr i8, ptr %job, i64 ${job.weights}
  %weights = load ptr, ptr %weights.at
;; section task
  call void @llvm.x86.sse.stmxcsr(ptr %callers)
  call void @llvm.x86.sse.ldmxcsr(ptr %ours)
  call void %kernel(ptr %input, ptr %output, ptr %workspace, ptr %scratch, i64 %begin, i64 %end${and_weights})
  call void @llvm.x86.sse.ldmxcsr(ptr %callers)
  ret void
}
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal void @${model}__task(ptr %job, i32 %index) #0 {
  %iterations.at = getelementptr i8, ptr %job, i64 ${job.iterations}
  %iterations = load i64, ptr %iterations.at
  %ranges.at = getelementptr i8, ptr %job, i64 ${job.ranges}
  %ranges = load i64, ptr %ranges.at
  %taken.at = getelementptr i8, ptr %job, i64 ${job.taken}
  %taken = load ptr, ptr %taken.at
  %own = zext i32 %index to i64
  %last = add i64 %own, %ranges
  br label %range
range:
  %turn = phi i64 [ %own, %0 ], [ %turn.next, %empty ]
  %r = urem i64 %turn, %ranges
  %r.next = add i64 %r, 1
  %next.n = mul i64 %r.next, %iterations
  %end = udiv i64 %next.n, %ranges
  %at = getelementptr i64, ptr %taken, i64 %r
  br label %look
look:
  %first = load atomic i64, ptr %at monotonic, align 8
  br label %see
see:
  %begin = phi i64 [ %first, %look ], [ %seen, %take ]
  %left = sub i64 %end, %begin
  %none = icmp eq i64 %left, 0
  br i1 %none, label %empty, label %take
take:
  %quarter = lshr i64 %left, 2
  %few = icmp eq i64 %quarter, 0
  %share = select i1 %few, i64 1, i64 %quarter
  %stop = add i64 %begin, %share
  %swap = cmpxchg ptr %at, i64 %begin, i64 %stop monotonic monotonic
  %seen = extractvalue { i64, i1 } %swap, 0
  %got = extractvalue { i64, i1 } %swap, 1
  br i1 %got, label %run, label %see
run:
  call void @${model}__iterate(ptr %job, i64 %own, i64 %begin, i64 %stop)
  br label %look
empty:
  %turn.next = add i64 %turn, 1
  %more = icmp ult i64 %turn.next, %last
  br i1 %more, label %range, label %out
out:
  ret void
}
;; section launch
define internal void @${model}__launch(ptr %job, ptr %kernel, i64 %iterations, i64 %index) #0 {
  %exec.at = getelementptr i8, ptr %job, i64 ${job.exec}
  %exec = load ptr, ptr %exec.at
  %iterations.at = getelementptr i8, ptr %job, i64 ${job.iterations}
  %ranges.at = getelementptr i8, ptr %job, i64 ${job.ranges}
  store ptr %kernel, ptr %job
  store i64 %iterations, ptr %iterations.at
  %alone = icmp eq ptr %exec, null
  br i1 %alone, label %plain, label %guided
plain:
  call void @${model}__iterate(ptr %job, i64 0, i64 0, i64 %iterations)
  ret void
guided:
  %threads.at = getelementptr i8, ptr %exec, i64 ${exec.threads}
  %threads.32 = load i32, ptr %threads.at
  %threads = zext i32 %threads.32 to i64
  %over = icmp ugt i64 %threads, ${threads}
  %most = select i1 %over, i64 ${threads}, i64 %threads
  %few = icmp ult i64 %iterations, %most
  %count = select i1 %few, i64 %iterations, i64 %most
  %profile.at = getelementptr i8, ptr %exec, i64 ${exec.profile}
  %profile = load ptr, ptr %profile.at
  %timed = icmp ne ptr %profile, null
  br i1 %timed, label %before, label %work
before:
  %clock = load ptr, ptr %profile
  %clock.context.at = getelementptr i8, ptr %profile, i64 ${profile.context}
  %clock.context = load ptr, ptr %clock.context.at
  %start = call i64 %clock(ptr %clock.context)
  br label %work
work:
  %started = phi i64 [ 0, %guided ], [ %start, %before ]
  %many = icmp ugt i64 %count, 1
  br i1 %many, label %split, label %whole
split:
  store i64 %count, ptr %ranges.at
  %taken.at = getelementptr i8, ptr %job, i64 ${job.taken}
  %taken = load ptr, ptr %taken.at
  br label %range
range:
  %r = phi i64 [ 0, %split ], [ %r.next, %range ]
  %r.n = mul i64 %r, %iterations
  %begin = udiv i64 %r.n, %count
  %range.at = getelementptr i64, ptr %taken, i64 %r
  store i64 %begin, ptr %range.at
  %r.next = add i64 %r, 1
  %ranges.left = icmp ult i64 %r.next, %count
  br i1 %ranges.left, label %range, label %share
share:
  %parallel.at = getelementptr i8, ptr %exec, i64 ${exec.parallel}
  %parallel = load ptr, ptr %parallel.at
  %context.at = getelementptr i8, ptr %exec, i64 ${exec.context}
  %context = load ptr, ptr %context.at
  %count.32 = trunc i64 %count to i32
  call void %parallel(ptr %context, i32 %count.32, ptr @${model}__task, ptr %job)
  br label %worked
whole:
  call void @${model}__iterate(ptr %job, i64 0, i64 0, i64 %iterations)
  br label %worked
worked:
  br i1 %timed, label %after, label %out
after:
  %clock.2 = load ptr, ptr %profile
  %clock.2.at = getelementptr i8, ptr %profile, i64 ${profile.context}
  %clock.2.context = load ptr, ptr %clock.2.at
  %stop = call i64 %clock.2(ptr %clock.2.context)
  %spent = sub i64 %stop, %started
  %ticks.at = getelementptr i8, ptr %profile, i64 ${profile.ticks}
  %ticks = load ptr, ptr %ticks.at
  %tick = getelementptr i64, ptr %ticks, i64 %index
  %tick.old = load i64, ptr %tick
  %tick.new = add i64 %tick.old, %spent
  store i64 %tick.new, ptr %tick
  %calls.at = getelementptr i8, ptr %profile, i64 ${profile.calls}
  %calls = load ptr, ptr %calls.at
  %call = getelementptr i64, ptr %calls, i64 %index
  %call.old = load i64, ptr %call
  %call.new = add i64 %call.old, 1
  store i64 %call.new, ptr %call
  br label %out
out:
  ret void
}
; The declaration of each kernel of a unit and a target, its plan's first lines, then calls.
;; section declare
declare void @${kernel}(ptr, ptr, ptr, ptr, i64, i64${and_weights})
;; section plan
define internal void @${model}__plan_${unit}_${symbol}(ptr %job) #0 {
  %workspace.at = getelementptr i8, ptr %job, i64 ${job.workspace}
  %workspace = load ptr, ptr %workspace.at
  %scratch = getelementptr i8, ptr %workspace, i64 ${scratch_begin}
  %scratch.at = getelementptr i8, ptr %job, i64 ${job.scratch}
  store ptr %scratch, ptr %scratch.at
  %scratch.bytes.at = getelementptr i8, ptr %job, i64 ${job.scratch_bytes}
  store i64 ${scratch_bytes}, ptr %scratch.bytes.at
;; section call
  call void @${model}__launch(ptr %job, ptr @${kernel}, i64 ${iterations}, i64 ${number})
;; section plan_end
  ret void
}
; All images, at least one. Input and output of the job go on with each run.
;; section images
define internal void @${model}__images_${symbol}(ptr %job, i64 %images) #0 {
  %input.at = getelementptr i8, ptr %job, i64 ${job.input}
  %output.at = getelementptr i8, ptr %job, i64 ${job.output}
  br label %unit.${unit}
; A loop for each unit, `before` the one before it, which has `left` some images for it.
;; section unit
unit.${unit}:
  %left.${unit} = phi i64 [ %${left}, %${before} ], [ %left.next.${unit}, %run.${unit} ]
  %enough.${unit} = icmp uge i64 %left.${unit}, ${unit}
  br i1 %enough.${unit}, label %run.${unit}, label %${next}
run.${unit}:
  call void @${model}__plan_${unit}_${symbol}(ptr %job)
  %input.${unit} = load ptr, ptr %input.at
  %input.next.${unit} = getelementptr [${unit} x [${image_bytes} x i8]], ptr %input.${unit}, i64 1
  store ptr %input.next.${unit}, ptr %input.at
  %output.${unit} = load ptr, ptr %output.at
  %output.next.${unit} = getelementptr [${unit} x [${result_bytes} x i8]], ptr %output.${unit}, i64 1
  store ptr %output.next.${unit}, ptr %output.at
  %left.next.${unit} = sub i64 %left.${unit}, ${unit}
  br label %unit.${unit}
; Fewer images than the smallest unit takes are copied into the workspace, and the last one again and again after them, since the
; copy reads what it has written. Nothing of the caller's beyond the images and their results is touched.
;; section rest
rest:
  %none = icmp eq i64 %left.${unit}, 0
  br i1 %none, label %out, label %fill
fill:
  %workspace.at = getelementptr i8, ptr %job, i64 ${job.workspace}
  %workspace = load ptr, ptr %workspace.at
  %inputs = getelementptr i8, ptr %workspace, i64 ${rest_input}
  %outputs = getelementptr i8, ptr %workspace, i64 ${rest_output}
  %input.rest = load ptr, ptr %input.at
  %output.rest = load ptr, ptr %output.at
  %input.bytes = mul i64 %left.${unit}, ${image_bytes}
  call void @${model}__copy(ptr %inputs, ptr %input.rest, i64 %input.bytes)
  %free = getelementptr i8, ptr %inputs, i64 %input.bytes
  %last = getelementptr i8, ptr %free, i64 -${image_bytes}
  %missing = sub i64 ${unit}, %left.${unit}
  %missing.bytes = mul i64 %missing, ${image_bytes}
  call void @${model}__copy(ptr %free, ptr %last, i64 %missing.bytes)
  store ptr %inputs, ptr %input.at
  store ptr %outputs, ptr %output.at
  call void @${model}__plan_${unit}_${symbol}(ptr %job)
  %output.bytes = mul i64 %left.${unit}, ${result_bytes}
  call void @${model}__copy(ptr %output.rest, ptr %outputs, i64 %output.bytes)
  br label %out
;; section images_end
out:
  ret void
}
; Byte after byte, upwards.
;; section copy
define internal void @${model}__copy(ptr %to, ptr %from, i64 %bytes) #0 {
  %moved = call { ptr, ptr, i64 } asm sideeffect "rep movsb", "={di},={si},={cx},0,1,2,~{memory}"(ptr %to, ptr %from, i64 %bytes)
  ret void
}
; Weights outside of the object are known by their hash, which is filled in when all of them are there.
;; section hash
@${model}__outside_sha256 = external hidden constant [32 x i8], align 8
;; section run
; Which target the processor runs, plus 1: looked up by the first call, since CPUID takes microseconds in a virtual machine. 0:
; not known yet; -1: none. Threads that come at once all find the same.
@${model}__processor = internal global i32 0, align 4
define i32 @${model}_run(ptr %input, ptr %output, ptr %workspace, ptr %exec) #0 {
  %status = call i32 @${model}__run(ptr %input, ptr %output, i64 ${batch}, ptr %workspace, ptr %exec)
  ret i32 %status
}
define i32 @${model}_run_images(ptr %input, ptr %output, i64 %images, ptr %workspace, ptr %exec) #0 {
  %nothing = icmp eq i64 %images, 0
  br i1 %nothing, label %done, label %some
some:
  %some.status = call i32 @${model}__run(ptr %input, ptr %output, i64 %images, ptr %workspace, ptr %exec)
  br label %done
done:
  %status = phi i32 [ 0, %0 ], [ %some.status, %some ]
  ret i32 %status
}
define internal i32 @${model}__run(ptr %input, ptr %output, i64 %images, ptr %workspace, ptr %exec) #0 {
  %job = alloca [${job.bytes} x i8], align 8
  %taken = alloca [${threads} x i64]
  %no.input = icmp eq ptr %input, null
  %no.output = icmp eq ptr %output, null
  %no.workspace = icmp eq ptr %workspace, null
  %no.data = or i1 %no.input, %no.output
  %no.pointer = or i1 %no.data, %no.workspace
  br i1 %no.pointer, label %out, label %align
align:
  %input.bits = ptrtoint ptr %input to i64
  %output.bits = ptrtoint ptr %output to i64
  %workspace.bits = ptrtoint ptr %workspace to i64
  %input.low = and i64 %input.bits, ${input_low}
  %output.low = and i64 %output.bits, 3
  %data.low = or i64 %input.low, %output.low
  %workspace.low = and i64 %workspace.bits, ${workspace_low}
  %low = or i64 %data.low, %workspace.low
  %crooked = icmp ne i64 %low, 0
  br i1 %crooked, label %out, label %guide
guide:
  %alone = icmp eq ptr %exec, null
  br i1 %alone, label %${alone}, label %version
version:
  %abi = load i32, ptr %exec
  %foreign = icmp ne i32 %abi, ${abi_version}
  br i1 %foreign, label %out, label %hook
hook:
  %threads.at = getelementptr i8, ptr %exec, i64 ${exec.threads}
  %threads = load i32, ptr %threads.at
  %many = icmp ugt i32 %threads, 1
  %parallel.at = getelementptr i8, ptr %exec, i64 ${exec.parallel}
  %parallel = load ptr, ptr %parallel.at
  %no.hook = icmp eq ptr %parallel, null
  %stuck = and i1 %many, %no.hook
  br i1 %stuck, label %out, label %timing
timing:
  %profile.at = getelementptr i8, ptr %exec, i64 ${exec.profile}
  %profile = load ptr, ptr %profile.at
  %untimed = icmp eq ptr %profile, null
  br i1 %untimed, label %${guided}, label %timed
timed:
  %clock = load ptr, ptr %profile
  %no.clock = icmp eq ptr %clock, null
  %ticks.at = getelementptr i8, ptr %profile, i64 ${profile.ticks}
  %ticks = load ptr, ptr %ticks.at
  %no.ticks = icmp eq ptr %ticks, null
  %calls.at = getelementptr i8, ptr %profile, i64 ${profile.calls}
  %calls = load ptr, ptr %calls.at
  %no.calls = icmp eq ptr %calls, null
  %no.count = or i1 %no.ticks, %no.calls
  %no.profile = or i1 %no.clock, %no.count
  br i1 %no.profile, label %out, label %${guided}
;; section weights
handed:
  %weights.at = getelementptr i8, ptr %exec, i64 ${exec.weights}
  %weights = load ptr, ptr %weights.at
  %no.weights = icmp eq ptr %weights, null
  br i1 %no.weights, label %out, label %belong
belong:
  %weights.data = load ptr, ptr %weights
  %no.weights.data = icmp eq ptr %weights.data, null
  %weights.bits = ptrtoint ptr %weights.data to i64
  %weights.low = and i64 %weights.bits, ${workspace_low}
  %weights.crooked = icmp ne i64 %weights.low, 0
  %hash.at = getelementptr i8, ptr %weights, i64 ${san_weights.sha256}
  %hash = load i256, ptr %hash.at, align 8
  %hash.own = load i256, ptr @${model}__outside_sha256, align 8
  %hash.other = icmp ne i256 %hash, %hash.own
  %weights.bad = or i1 %no.weights.data, %weights.crooked
  %weights.wrong = or i1 %weights.bad, %hash.other
  br i1 %weights.wrong, label %out, label %outside
outside:
  %job.weights.at = getelementptr i8, ptr %job, i64 ${job.weights}
  store ptr %weights.data, ptr %job.weights.at
  br label %processor
;; section processor
processor:
  %input.at = getelementptr i8, ptr %job, i64 ${job.input}
  store ptr %input, ptr %input.at
  %output.at = getelementptr i8, ptr %job, i64 ${job.output}
  store ptr %output, ptr %output.at
  %workspace.at = getelementptr i8, ptr %job, i64 ${job.workspace}
  store ptr %workspace, ptr %workspace.at
  %exec.at = getelementptr i8, ptr %job, i64 ${job.exec}
  store ptr %exec, ptr %exec.at
  %taken.at = getelementptr i8, ptr %job, i64 ${job.taken}
  store ptr %taken, ptr %taken.at
  %known = load atomic i32, ptr @${model}__processor monotonic, align 4
  switch i32 %known, label %out [
    i32 0, label %look
;; section known
    i32 ${target_code}, label %use.${target}
;; section look
  ]
look:
  %leaf1 = call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}"(i32 1, i32 0)
  %ecx1 = extractvalue { i32, i32, i32, i32 } %leaf1, 2
  %xsave = and i32 %ecx1, 134217728
  %no.xsave = icmp eq i32 %xsave, 0
  br i1 %no.xsave, label %none, label %features
; Whoever has XSAVE has leaf 13, and so leaf 7.
features:
  %xcr = call { i32, i32 } asm sideeffect "xgetbv", "={ax},={dx},{cx}"(i32 0)
  %xcr0 = extractvalue { i32, i32 } %xcr, 0
  %leaf7 = call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}"(i32 7, i32 0)
  %ebx7 = extractvalue { i32, i32, i32, i32 } %leaf7, 1
  %edx7 = extractvalue { i32, i32, i32, i32 } %leaf7, 3
  br label %try.${strongest}
none:
  store atomic i32 -1, ptr @${model}__processor monotonic, align 4
  br label %out
; Each target, the strongest first; `weaker` is the next one's label, or `none`.
;; section try
try.${target}:
  %ecx1.${target} = and i32 %ecx1, ${leaf1_ecx}
  %ebx7.${target} = and i32 %ebx7, ${leaf7_ebx}
  %xcr0.${target} = and i32 %xcr0, ${xcr0}
  %has.1.${target} = icmp eq i32 %ecx1.${target}, ${leaf1_ecx}
  %has.7.${target} = icmp eq i32 %ebx7.${target}, ${leaf7_ebx}
  %has.x.${target} = icmp eq i32 %xcr0.${target}, ${xcr0}
  %has.17.${target} = and i1 %has.1.${target}, %has.7.${target}
  %has.${target} = and i1 %has.17.${target}, %has.x.${target}
  br i1 %has.${target}, label %${more}.${target}, label %${weaker}
;; section more
; Of leaf 7.1, and of one vendor's processors.
more.${target}:
  %leaf71.${target} = call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}"(i32 7, i32 1)
  %eax71.${target} = extractvalue { i32, i32, i32, i32 } %leaf71.${target}, 0
  %bits.${target} = and i32 %eax71.${target}, ${leaf7_1_eax}
  %has.71.${target} = icmp eq i32 %bits.${target}, ${leaf7_1_eax}
  %leaf0.${target} = call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}"(i32 0, i32 0)
  %ecx0.${target} = extractvalue { i32, i32, i32, i32 } %leaf0.${target}, 2
  %is.${target} = icmp eq i32 %ecx0.${target}, ${leaf0_ecx}
  %any.${target} = icmp eq i32 0, ${leaf0_ecx}
  %vendor.${target} = or i1 %is.${target}, %any.${target}
  %has.more.${target} = and i1 %has.71.${target}, %vendor.${target}
  br i1 %has.more.${target}, label %${tiles}.${target}, label %${weaker}
;; section tiles
; Linux lets a process have the registers of tiles when it asks for them, once and for all its threads. It refuses where a signal's
; stack would be too small for them, and older kernels do not know the call.
tiles.${target}:
  %edx7.${target} = and i32 %edx7, ${leaf7_edx}
  %has.tiles.${target} = icmp eq i32 %edx7.${target}, ${leaf7_edx}
  br i1 %has.tiles.${target}, label %ask.${target}, label %${weaker}
ask.${target}:
  %asked.${target} = call i64 asm sideeffect "syscall", "={ax},{ax},{di},{si},~{rcx},~{r11},~{memory}"(i64 ${arch_prctl}, i64 ${request}, i64 ${registers})
  %allowed.${target} = icmp eq i64 %asked.${target}, 0
  br i1 %allowed.${target}, label %found.${target}, label %${weaker}
;; section found
found.${target}:
  store atomic i32 ${target_code}, ptr @${model}__processor monotonic, align 4
  br label %use.${target}
use.${target}:
  call void @${model}__images_${symbol}(ptr %job, i64 %images)
  br label %out
;; section out
out:
  %status = phi i32 [ ${EPOINTER}, %0 ], [ ${EALIGN}, %align ], [ ${EABI}, %version ], [ ${EEXEC}, %hook ], [ ${EEXEC}, %timed ], [ ${ECPU}, %processor ], [ ${ECPU}, %none ]
;; section out_weights
    , [ ${EWEIGHTS}, %guide ], [ ${EWEIGHTS}, %handed ], [ ${EWEIGHTS}, %belong ]
;; section used
    , [ 0, %use.${target} ]
;; section end
  ret i32 %status
}
attributes #0 = { nounwind "target-cpu"="x86-64" }
